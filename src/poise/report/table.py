from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any, Literal

ABSENT = "–"
_LONG = 40  # characters, from which a cell is wrapped, though never to a sliver


def make_table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], best: Mapping[int, Literal["max", "min"]]
) -> dict[str, Any]:
    """Return ``columns`` and ``rows`` as the page's template wants them: cells with text, sort key and emphasis."""
    made = [_make_column([row[at] for row in rows], best.get(at)) for at in range(len(columns))]
    return {
        "columns": [{"name": name, "numeric": numeric} for name, (numeric, _) in zip(columns, made, strict=True)],
        "rows": [[cells[at] for _, cells in made] for at in range(len(rows))],
    }


def _make_column(cells: Sequence[object], best: Literal["max", "min"] | None) -> tuple[bool, list[dict[str, Any]]]:
    """Return whether the column holds numbers, and its cells."""
    given = [cell for cell in cells if not _is_absent(cell)]
    numeric = bool(given) and all(isinstance(cell, Real) and not isinstance(cell, bool) for cell in given)
    numbers = [float(cell) for cell in given if isinstance(cell, Real)] if numeric else []
    decimals = None if all(isinstance(cell, Integral) for cell in given) else _decimals(numbers)
    winner = {"max": max, "min": min}[best](numbers) if best and numbers else None
    made = []
    for cell in cells:
        absent = _is_absent(cell)
        made.append(
            {
                "text": ABSENT if absent else _format(cell, decimals) if numeric else _words(cell),
                "key": float(cell) if numeric and isinstance(cell, Real) and not absent else None,
                "numeric": numeric,
                "long": not numeric and len(str(cell)) > _LONG,
                "best": winner is not None and not absent and cell == winner,
            }
        )
    return numeric, made


def _is_absent(cell: object) -> bool:
    return cell is None or (isinstance(cell, Real) and math.isnan(cell))


def _decimals(numbers: Sequence[float]) -> int:
    """Return with how many decimals a whole column reads best: four for metrics, fewer the larger its numbers are."""
    largest = max((abs(number) for number in numbers if math.isfinite(number)), default=0.0)
    return 4 if largest < 2 else 2 if largest < 100 else 1


def _format(cell: object, decimals: int | None) -> str:
    if not isinstance(cell, Real):
        return ABSENT
    return f"{float(cell):,.0f}" if decimals is None else f"{float(cell):,.{decimals}f}"


def _words(cell: object) -> str:
    return ("yes" if cell else "no") if isinstance(cell, bool) else str(cell)
