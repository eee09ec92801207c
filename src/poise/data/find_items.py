"""Which item somebody means: by id, by title, by a part of one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from poise.data.vocabulary import Vocabulary
from poise.errors import UnknownIdError, UsageError, suggest
from poise.types import Offsets


def find_items(words: Sequence[str], item_ids: Vocabulary, titles: Sequence[str], counts: Offsets) -> list[int]:
    """Return the index of the item that each of ``words`` means: an id, a title, or a part of exactly one title.

    Case does not count, nor does a year in parentheses at the end of a title. Of several items with the same title the
    one with the most events is meant.

    Args:
        words: ids, titles or parts of titles.
        item_ids: the ids of the catalogue.
        titles: what each item is called, by index, from padding on.
        counts: how many events each item has, int64 ``[n_items + 1]``.

    Raises:
        UnknownIdError: no item fits, or several do; close titles are named.
    """
    if isinstance(words, str):
        raise UsageError(f"words is a list of ids or titles; for one item write [{words!r}]")
    lower = pl.Series("title", titles[1:], dtype=pl.String).str.to_lowercase()
    bare = lower.str.replace(r"\s*\(\d{4}\)\s*$", "")
    return [_find(word.strip(), item_ids, titles, counts, lower, bare) for word in words]


def find_list(line: str, item_ids: Vocabulary, titles: Sequence[str], counts: Offsets) -> list[int]:
    """Return the items that a line such as ``Toy Story, The Good, the Bad and the Ugly`` names, in order.

    Titles may hold commas: from the left, the longest run of the parts between commas that is an id or a title is taken
    for one item.

    Raises:
        UnknownIdError: a part fits no item, or several.
    """
    lower = pl.Series("title", titles[1:], dtype=pl.String).str.to_lowercase()
    bare = lower.str.replace(r"\s*\(\d{4}\)\s*$", "")
    names = {*lower, *bare, *(part for part in map(str.strip, line.split(",")) if part in item_ids)}
    parts = [part for part in line.split(",") if part.strip()]
    items = []
    while parts:
        length = next((n for n in range(len(parts), 1, -1) if ",".join(parts[:n]).strip().lower() in names), 1)
        items.append(_find(",".join(parts[:length]).strip(), item_ids, titles, counts, lower, bare))
        parts = parts[length:]
    return items


def _find(
    word: str, item_ids: Vocabulary, titles: Sequence[str], counts: Offsets, lower: pl.Series, bare: pl.Series
) -> int:
    if word in item_ids:
        return int(item_ids.index([word])[0])
    wanted = word.lower()
    popular = counts[1:]
    for fits in (lower == wanted, bare == wanted):
        if len(same := np.flatnonzero(fits.to_numpy())):
            return int(same[np.argmax(popular[same])]) + 1
    partial = np.flatnonzero(lower.str.contains(wanted, literal=True).to_numpy()) if wanted else np.empty(0, int)
    if len(partial) == 1:
        return int(partial[0]) + 1
    if len(partial) > 1:
        first = [titles[place + 1] for place in partial[np.argsort(-popular[partial], kind="stable")][:3]]
        raise UnknownIdError(
            f"{word!r} fits {len(partial)} items, among them {', '.join(map(repr, first))}: be more precise"
        )
    hint = suggest(wanted, bare.to_list()) or suggest(wanted, lower.to_list())
    raise UnknownIdError(f"no item has the id or title {word!r}.{hint or ' Give an id, a title, or a part of one'}")
