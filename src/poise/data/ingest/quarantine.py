"""The rows that were refused, each as it was read, with the reason."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import polars as pl

from poise.files import atomic_file

OWN = ("source", "row", "reason")


class Refusal(NamedTuple):
    """One reason, how many rows it cost, and the first of them."""

    reason: str
    rows: int
    example: str


class Quarantine:
    """The refused rows of each table. Nothing is dropped without ending here.

    Attributes:
        notes: what was assumed, left out or merged on the way in, a line each.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._parts: dict[str, list[pl.DataFrame]] = defaultdict(list)

    def refuse(self, source: str, rows: pl.DataFrame, numbers: pl.Series, reason: str) -> None:
        """Take in ``rows`` of the table ``source``.

        Args:
            source: which table they come from: ``events``, ``items`` or ``users``.
            rows: the rows as they were read.
            numbers: where each stood in the table; 1 is the first row after the header.
            reason: why they were refused, equal for all that have the same fault.
        """
        clashing = {name: f"{name}_original" for name in OWN if name in rows.columns}
        rows = rows.rename(clashing)
        origin = rows.select(source=pl.lit(source), row=numbers.cast(pl.UInt64), reason=pl.lit(reason))
        self._parts[source].append(pl.concat([origin, rows], how="horizontal"))

    @property
    def frames(self) -> dict[str, pl.DataFrame]:
        """The refused rows by table: ``source``, ``row``, ``reason`` and the columns as they were read."""
        return {source: pl.concat(parts).sort("row", maintain_order=True) for source, parts in self._parts.items()}

    def __len__(self) -> int:
        return sum(part.height for parts in self._parts.values() for part in parts)

    def summary(self) -> list[Refusal]:
        """Return how many rows each reason cost, the costliest first, with an example of each."""
        refusals: dict[str, Refusal] = {}
        for parts in self._parts.values():
            for part in parts:
                reason, row = part["reason"][0], part.row(0, named=True)
                refusal = refusals.get(reason)
                example = refusal.example if refusal else _example(row)
                refusals[reason] = Refusal(reason, part.height + (refusal.rows if refusal else 0), example)
        return sorted(refusals.values(), key=lambda refusal: -refusal.rows)

    def save(self, path: Path | str) -> None:
        """Write all the refused rows to one Parquet file.

        Its columns are ``source``, ``row``, ``reason`` and ``record``: the row as it was read, as a JSON object, since
        the tables differ in their columns.
        """
        empty = pl.DataFrame(schema={"source": pl.String, "row": pl.UInt64, "reason": pl.String, "record": pl.String})
        with atomic_file(path) as temporary:
            pl.concat([empty, *(_as_records(frame) for frame in self.frames.values())]).write_parquet(temporary)

    def __repr__(self) -> str:
        return f"Quarantine({len(self):,} rows refused)"


def _as_records(frame: pl.DataFrame) -> pl.DataFrame:
    original: list[pl.Expr] = [
        pl.col(name).cast(pl.String) if dtype.is_temporal() else pl.col(name) for name, dtype in frame.schema.items()
    ]
    return frame.select(*OWN, pl.struct(original[len(OWN) :]).struct.json_encode().alias("record"))


def _example(row: dict[str, object]) -> str:
    fields = ", ".join(f"{name}={value!r}" for name, value in row.items() if name not in OWN and value is not None)
    return f"row {row['row']}: {fields if len(fields) <= 120 else fields[:117] + '...'}"
