"""Exports of orders: a catalogue, and what is known of people, out of the columns; returns out of quantities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from poise.data.ingest.frames import to_polars
from poise.data.ingest.quarantine import Quarantine
from poise.data.ingest.staging import Staging
from poise.data.roles.looks import Look
from poise.data.roles.words import concepts_of
from poise.data.schema.column_names import Table, resolve
from poise.data.schema.column_types import Kind, filled
from poise.data.schema.value_kinds import ValueKind
from poise.errors import UsageError, suggest

_PLACE = "_place"
_CANCELLED = r"^(?:C|S|R|G|ST|CN|RET|CAN)[-_ ]?\d+$"  # codes that go with 'cancelled', 'Storno', 'return', 'Gutschrift'
_SELDOM = 0.4  # share of the rows that may be returns; more, and the letter means something else
PURCHASE, RETURN = "purchase", "return"


@dataclass(frozen=True)
class Descriptions:
    """What the rows of a log say of its items, or of its people.

    Attributes:
        table: ``items`` or ``users``.
        columns: of the log, that describe them.
        catalogue: a table of its own, whose values count where it has the same column; None if there is none.
        given: which column of the catalogue is which.
    """

    table: Table
    columns: Sequence[str]
    catalogue: Any | None
    given: Mapping[str, str]

    def joined(self, log: pl.DataFrame, key: str, quarantine: Quarantine) -> Any | None:
        """Return the catalogue with these columns.

        Of several values of one item the most frequent counts, of equally frequent ones the newest in the file; how
        often that was needed stands among the notes.

        Args:
            log: the events as they were read.
            key: the column of the log with the ids.
            quarantine: where the notes go.

        Raises:
            UsageError: the log has no such column.
        """
        if not self.columns:
            return self.catalogue
        for name in self.columns:
            if name not in log.columns:
                raise UsageError(
                    f"the events have no column {name!r} that describes {self.table}.{suggest(name, log.columns)}"
                )
        role = "item_id" if self.table == "items" else "user_id"
        catalogue = None if self.catalogue is None else to_polars(self.catalogue, self.table)
        own_key = role
        if catalogue is not None:
            of_catalogue = {known: name for known, name in self.given.items() if name in catalogue.columns}
            own_key = resolve(catalogue, self.table, of_catalogue)[role]
        described = _describe(log, key, own_key, self.columns, quarantine)
        if catalogue is None:
            return described
        new = described.drop([name for name in self.columns if name in catalogue.columns and name != own_key])
        new = new.with_columns(pl.col(own_key).cast(catalogue.schema[own_key], strict=False))
        return catalogue.join(new, on=own_key, how="left" if new.width == 1 else "full", coalesce=True)


def described(
    log: pl.DataFrame,
    columns: Mapping[str, str] | None,
    items: Descriptions,
    users: Descriptions,
    quarantine: Quarantine,
) -> tuple[Any | None, Any | None]:
    """Return items and users with what a log says of them, see :class:`Descriptions`.

    Args:
        log: the events as they were read.
        columns: which column of the log is which.
        items: what it says of items.
        users: what it says of users.
        quarantine: where the notes go.
    """
    if not items.columns and not users.columns:
        return items.catalogue, users.catalogue
    mapping = resolve(log, "events", columns)
    return (
        items.joined(log, mapping["item_id"], quarantine),
        users.joined(log, mapping["user_id"], quarantine),
    )


def with_titles(
    items: pl.DataFrame | None, kinds: dict[str, Kind], ids: pl.Series
) -> tuple[pl.DataFrame | None, dict[str, Kind]]:
    """Return the catalogue with the ids as titles where it has no titles and the ids are words, such as ``whole milk``.

    Args:
        items: the catalogue; None if there is none.
        kinds: what its columns hold.
        ids: of the items in the log.
    """
    if items is not None and "title" in items.columns:
        return items, kinds
    known = ids.unique(maintain_order=True) if items is None else items["item_id"]
    if not Look(known).are_words:
        return items, kinds
    table = pl.DataFrame({"item_id": known}) if items is None else items
    return table.with_columns(title=pl.col("item_id")), {"title": "text", **kinds}


def _describe(
    log: pl.DataFrame, key: str, own_key: str, columns: Sequence[str], quarantine: Quarantine
) -> pl.DataFrame:
    """Return a row for each id of a log, under the name ``own_key``, with the usual values of ``columns``."""
    rows = log.select(pl.col(key).alias(own_key), *(name for name in columns if name != key)).with_row_index(_PLACE)
    rows = rows.filter(filled(rows[own_key]))
    described = rows.select(own_key).unique(maintain_order=True)
    for name in rows.columns[2:]:
        usual, note = _most_frequent(rows.select(_PLACE, own_key, name), own_key, name, key)
        described = described.join(usual, on=own_key, how="left")
        if note is not None:
            quarantine.notes.append(note)
    return described


def _most_frequent(rows: pl.DataFrame, key: str, name: str, called: str) -> tuple[pl.DataFrame, str | None]:
    """Return the most frequent value of a column by id, and what is to be said where there are several."""
    held = rows.filter(filled(rows[name]))
    counts = held.group_by(key, name).agg(times=pl.len(), last=pl.col(_PLACE).max())
    ranked = counts.sort("times", "last", descending=True)
    usual = ranked.unique(subset=key, keep="first", maintain_order=True).select(key, name)
    several = counts.group_by(key).agg(values=pl.len()).filter(pl.col("values") > 1).sort("values", key)
    if not several.height:
        return usual, None
    worst, values = several.row(-1)
    others = f", and {several.height - 1:,} more have several" if several.height > 1 else ""
    return usual, f"{called} {worst} has {values} different values of {name}{others}; the most frequent is used"


def mark_returns(log: Staging, kind: ValueKind | None) -> None:
    """Give each row of a log of orders its behaviour, ``purchase`` or ``return``, where some of them are returns.

    A row is a return if its quantity or amount is below 0, or if its order has a code such as ``C536379`` where others
    have numbers alone. A log with behaviours of its own stays as it is. Quantities of returns lose their sign.

    Args:
        log: the events under cleaning.
        kind: what the values mean.
    """
    if "behaviour" in log:
        return
    frame = log.frame
    below, returned = (pl.Series([False] * frame.height) for _ in range(2))
    has_amounts = "value" in log and kind in ("quantity", "amount")
    if has_amounts:
        below = (frame["value"] < 0).fill_null(False)
    for name in frame.columns:
        if "order" in concepts_of(name) and frame[name].dtype == pl.String:
            returned |= _cancelled(frame[name])
    if returned.mean() <= _SELDOM:  # type: ignore[operator]
        below |= returned
    returned = below
    if not returned.any() or returned.all():
        return
    behaviour = frame.select(pl.when(returned).then(pl.lit(RETURN)).otherwise(pl.lit(PURCHASE)).alias("behaviour"))
    log.replace(behaviour.to_series())
    if has_amounts:
        log.replace(pl.col("value").abs())
    n = int(returned.sum())
    log.quarantine.notes.append(
        f"events: {n:,} {'row is a return' if n == 1 else 'rows are returns'} "
        "(a quantity below 0, or the code of a cancelled order)"
    )


def _cancelled(codes: pl.Series) -> pl.Series:
    """Tell which codes of orders speak of a cancellation, where all others are numbers."""
    marked = codes.str.contains(_CANCELLED).fill_null(False)
    others = codes.filter(~marked).drop_nulls()
    if not marked.any() or not len(others) or not others.str.contains(r"^\d+$").all():
        return pl.Series([False] * len(codes))
    return marked
