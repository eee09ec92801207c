"""Which table a file holds: a log of events, a catalogue or people; and whether its first line is a header."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from poise.data.roles.guess import ENOUGH, Choice, Table, guess_roles, is_of_item
from poise.data.roles.looks import Look
from poise.data.roles.words import concepts_of

_PEOPLE = re.compile(r"user|customer|member|people|visitor|client|kunden|utilisateur|usuario|用户|会员", re.IGNORECASE)
_PRODUCT_CODE = r"^(?:B[0-9A-Z]{9}|\d{9}[\dX]|97[89]\d{10})$"  # ASIN, ISBN
_TITLE = 2.5  # words on average, from which a column of a file without a header is taken for titles
_FEW_ROWS = 20  # below which it does not count that no id comes twice


@dataclass(frozen=True)
class Told:
    """What a table was taken for.

    Attributes:
        table: what it holds.
        choices: the column of each role.
        score: how sure that is, 0 to 100.
    """

    table: Table
    choices: Mapping[str, Choice]
    score: float


def tell_table(frame: pl.DataFrame, name: str, given: Mapping[Table, Mapping[str, str]]) -> Told | None:
    """Tell which table a file holds, by its columns and its values.

    In a log people and items come again; in a catalogue each row is another item, even where it names a person too.

    Args:
        frame: the file, or its beginning.
        name: of the file.
        given: columns that are known, by table: canonical name to the column's name.

    Returns:
        None if it has neither people nor items.
    """
    said = {table: columns for table, columns in given.items() if set(columns.values()) <= {*frame.columns, ""}}
    as_events = _with_given(frame, "events", said.get("events", {}))
    as_items = _with_given(frame, "items", said.get("items", {}))
    as_users = _with_given(frame, "users", said.get("users", {}))
    user, item = as_events.get("user_id"), as_events.get("item_id")
    if user is not None and item is not None and _is_log(frame, user, item, as_items, name):
        clock = 5.0 if "timestamp" in as_events else 0.0
        return Told("events", as_events, min(user.score, item.score) + clock)
    person, thing = as_users.get("user_id"), as_items.get("item_id")
    of_people = (
        person is not None
        and person.score >= ENOUGH
        and bool(
            thing is None
            or thing.score < ENOUGH
            or (_PEOPLE.search(name) and (thing.score < 90 or not _is_unique(frame, thing.name)))
        )
    )
    if person is not None and of_people:
        return Told("users", as_users, person.score)
    if thing is not None and (thing.score >= ENOUGH or said.get("items", {}).get("item_id")):
        return Told("items", as_items, thing.score)
    return None


def has_header(frame: pl.DataFrame) -> bool:
    """Tell whether the names of the columns are names, not the first row of a file without a header."""
    names = [re.sub(r"_duplicated_\d+$", "", name) for name in frame.columns]
    roles = guess_roles(pl.DataFrame({name: [] for name in frame.columns if "/" not in name}), "events", {})
    if any(choice.score > 80 for role, choice in roles.items() if role in ("user_id", "item_id")):
        return True
    if any(re.fullmatch(r"[-+]?\d+([.,]\d+)?|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*", name) for name in names):
        return False
    again = [
        column
        for name, column in zip(names, frame.get_columns(), strict=True)
        if column.dtype == pl.String and (column == name).any() and concepts_of(name) <= {"other", "label", "order"}
    ]
    return len(again) < 2


def name_columns(frame: pl.DataFrame, file: str) -> list[str]:
    """Name the columns of a file without a header by what their values look like.

    Of a log the first column that may be an id is taken for the person, the next for the item, unless values tell
    otherwise; what remains unclear is called ``column_3``.

    Args:
        frame: the rows, under any names.
        file: the name of the file.
    """
    looks = [Look(column) for column in frame.get_columns()]
    names = [f"column_{place + 1}" for place in range(len(looks))]
    free = [place for place, look in enumerate(looks) if look.n_unique > 1 and look.filled > 0.5]
    titles = [place for place in free if looks[place].words >= _TITLE and not looks[place].is_time]
    first_is_key = bool(free) and looks[free[0]].n_unique == frame.height and frame.height > 1
    times = [place for place in free if looks[place].is_time]
    if first_is_key and titles and not (times and any(looks[place].behaviours for place in free)):
        names[free[0]] = "item_id"
        names[min(titles, key=lambda place: -looks[place].n_unique)] = "title"
        return names
    if first_is_key and _PEOPLE.search(file) and not times:
        names[free[0]] = "user_id"
        return names
    for place in times[-1:]:
        names[place] = "timestamp"
    for place in [place for place, look in enumerate(looks) if look.behaviours >= 0.5][:1]:
        names[place] = "behaviour"
    ids = [place for place in free if names[place].startswith("column") and _may_be_id(looks[place])]
    codes = [
        place
        for place in ids[:2]
        if looks[place].texts.str.contains(_PRODUCT_CODE).sum() > 0.9 * len(looks[place].texts)
    ]
    ids = sorted(ids[:2], key=lambda place: place in codes) if len(codes) == 1 else ids[:2]
    for place, name in zip(ids, ("user_id", "item_id"), strict=False):
        names[place] = name
    for place in free:
        is_free = names[place].startswith("column") and looks[place].is_number and not looks[place].is_time
        if is_free and len(ids) > 1 and not is_of_item(frame, frame.columns[ids[1]], frame.columns[place]):
            scale = looks[place].numbers.drop_nulls()
            is_rating = looks[place].n_unique <= 11 and bool((scale.abs() <= 10).all())
            names[place] = "label" if looks[place].is_label else ("rating" if is_rating else "value")
            break
    return names


def unused(frame: pl.DataFrame, taken: Sequence[str]) -> dict[str, str]:
    """Return which columns play no role, each with what it looks like; an empty text where that says nothing."""
    from poise.data.roles.looks import looks_like

    left = [column for column in frame.get_columns() if column.name not in taken and column.name]
    return {column.name: looks_like(Look(column)) or "" for column in left}


def _may_be_id(look: Look) -> bool:
    return not (look.is_fraction or look.is_time or look.is_link or look.is_row_number or look.is_label)


def _with_given(frame: pl.DataFrame, table: Table, given: Mapping[str, str]) -> dict[str, Choice]:
    said = {role: Choice(name, 100.0) for role, name in given.items() if name}
    return {**said, **guess_roles(frame, table, given)}


def _is_log(frame: pl.DataFrame, user: Choice, item: Choice, as_items: Mapping[str, Choice], name: str) -> bool:
    if not frame.height:
        return user.score >= ENOUGH
    if _is_unique(frame, user.name) and (_PEOPLE.search(name) or (frame.height >= _FEW_ROWS and item.score < 80)):
        return False
    thing = as_items.get("item_id")
    is_catalogue = (
        thing is not None
        and "title" in as_items
        and frame.height >= _FEW_ROWS
        and _is_unique(frame, thing.name)
        and (thing.name == item.name or item.score < 80)
    )
    return not is_catalogue


def _is_unique(frame: pl.DataFrame, name: str) -> bool:
    return frame[name].n_unique() == frame.height
