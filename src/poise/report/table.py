from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any, Literal

from poise.report.letters import width

ABSENT = "–"
_LONG = 40  # letters, from which a cell is wrapped, though never to a sliver


def make_table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], best: Mapping[int, Literal["max", "min"]]
) -> dict[str, Any]:
    """Return ``columns`` and ``rows`` for the page's template: cells with text, sort key and emphasis."""
    made_columns = [_make_column([row[index] for row in rows], best.get(index)) for index in range(len(columns))]
    return {
        "columns": [
            {"name": name, "numeric": numeric} for name, (numeric, _) in zip(columns, made_columns, strict=True)
        ],
        "rows": [[cells[row] for _, cells in made_columns] for row in range(len(rows))],
    }


def _make_column(cells: Sequence[object], best: Literal["max", "min"] | None) -> tuple[bool, list[dict[str, Any]]]:
    """Return whether the column holds numbers, and its cells."""
    given = [cell for cell in cells if not _is_absent(cell)]
    numeric = bool(given) and all(isinstance(cell, Real) and not isinstance(cell, bool) for cell in given)
    numbers = [float(cell) for cell in given if isinstance(cell, Real)] if numeric else []
    decimals = None if all(isinstance(cell, Integral) for cell in given) else _decimals(numbers)
    winner = {"max": max, "min": min}[best](numbers) if best and numbers else None
    made_cells = []
    for cell in cells:
        absent = _is_absent(cell)
        made_cells.append(
            {
                "text": ABSENT if absent else _format(cell, decimals) if numeric else _words(cell),
                "key": float(cell) if numeric and isinstance(cell, Real) and not absent else None,
                "numeric": numeric,
                "long": not numeric and width(str(cell)) > _LONG,
                "best": winner is not None and not absent and cell == winner,
            }
        )
    return numeric, made_cells


def _is_absent(cell: object) -> bool:
    return cell is None or (isinstance(cell, Real) and math.isnan(cell))


def _decimals(numbers: Sequence[float]) -> int:
    """Return the number of decimals of a column: four for metrics, fewer for larger numbers."""
    largest = max((abs(number) for number in numbers if math.isfinite(number)), default=0.0)
    return 4 if largest < 2 else 2 if largest < 100 else 1


def _format(cell: object, decimals: int | None) -> str:
    if not isinstance(cell, Real):
        return ABSENT
    return f"{float(cell):,.0f}" if decimals is None else f"{float(cell):,.{decimals}f}"


def _words(cell: object) -> str:
    return ("yes" if cell else "no") if isinstance(cell, bool) else str(cell)
