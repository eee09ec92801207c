"""Which column plays which role: scores by what its name speaks of and by what its values look like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from poise.data.roles.looks import Look
from poise.data.roles.vocabulary import CONCEPTS
from poise.data.roles.words import concepts_of, preference, words_of
from poise.data.schema.timestamps import looks_like_times_of_day

Table = Literal["events", "items", "users"]
ENOUGH = 40.0
"""The least score of a column to be taken without asking."""

_LAST_RESORT = 41.0  # of a column by whose name it is meant, though its values do not fit: that is to be said aloud
_CLOSE = 1.9  # points, within which another column may as well be meant
_ROLES: Mapping[Table, tuple[str, ...]] = {
    "events": ("user_id", "item_id", "timestamp", "behaviour", "value"),
    "items": ("item_id", "title"),
    "users": ("user_id",),
}
_ABOUT = frozenset(  # what a name speaks of that is a property of somebody or something, not who or which it is
    {
        *("time", "secondary_time", "rating", "quantity", "price", "amount", "duration", "group", "place", "trait"),
        *("statistic", "text", "count", "address", "row", "description"),
    }
)
_CODES = frozenset(CONCEPTS["thing_code"].split())
_KINDS = {
    "rating": 100.0,
    "label": 78.0,
    "quantity": 75.0,
    "value": 72.0,
    "count": 70.0,
    "duration": 65.0,
    "amount": 42.0,
}


@dataclass(frozen=True)
class Choice:
    """A column that was taken for a role.

    Attributes:
        name: of the column.
        score: how sure that is, 0 to 100.
        rivals: other columns that could be meant, the likeliest first.
    """

    name: str
    score: float
    rivals: Sequence[str] = field(default=())

    @property
    def is_sure(self) -> bool:
        """Whether nothing else could well be meant."""
        return self.score >= ENOUGH and not self.rivals


def guess_roles(frame: pl.DataFrame, table: Table, given: Mapping[str, str]) -> dict[str, Choice]:
    """Guess which column of a table plays which role.

    Args:
        frame: the table, or an empty one of which only the names are known.
        table: what it holds.
        given: roles that are known already, to the name of the column; to an empty name for none.

    Returns:
        for each other role that a column plays, that column; those with less than :data:`ENOUGH` are a mere chance.
    """
    looks = {name: Look(frame[name]) for name in frame.columns if name and name not in given.values()}
    choices: dict[str, Choice] = {}
    for role in _ROLES[table]:
        if role in given:
            continue
        score = _SCORES[role]
        scored = [(score(name, look, table), name) for name, look in looks.items()]
        item = given.get("item_id") or (choices["item_id"].name if "item_id" in choices else "")
        if role == "value" and item in frame.columns:
            scored = [(0.0 if points and is_of_item(frame, item, name) else points, name) for points, name in scored]
        if len(frame):
            scored = [(points - (0 if looks[name].filled > 0.5 else 30), name) for points, name in scored]
        ranked = sorted(((points, name) for points, name in scored if points > 0), key=lambda pair: -pair[0])
        if not ranked:
            continue
        best, name = ranked[0]
        rivals = [other for points, other in ranked[1:4] if points > best - _CLOSE and points >= ENOUGH]
        choices[role] = Choice(name, best, tuple(rivals))
        if best >= ENOUGH:
            del looks[name]
    return choices


def _user(name: str, look: Look, table: Table) -> float:
    concepts = concepts_of(name)
    if _cannot_name(look, table):
        return _LAST_RESORT if concepts <= {"person", "id"} and "person" in concepts else 0.0
    if not concepts & {"person", "contact", "visit", "order"}:
        return 45.0 if table == "users" and concepts == {"id"} else (30.0 if look.is_email else 0.0)
    if concepts & _ABOUT or ("thing" in concepts):
        return 0.0
    if "person" in concepts:
        points = 100.0 if "id" in concepts else 92.0
        points -= 45.0 if "title" in concepts else 0.0
        points -= 60.0 if concepts & {"visit", "order"} else 0.0
        points -= 40.0 if "contact" in concepts else 0.0
        points -= 45.0 if concepts & {"behaviour", "type", "status", "label", "value"} else 0.0
        points -= 12.0 if "other" in concepts else 0.0
    elif "contact" in concepts:
        points = 55.0 if look.is_email or not len(look.column) else 0.0
    elif "visit" in concepts:
        points = 48.0
    else:
        points = 30.0 if "id" in concepts or concepts == {"order"} else 0.0
    return points - min(preference(name), 40) * 0.05


def _item(name: str, look: Look, table: Table) -> float:
    concepts = concepts_of(name)
    if _cannot_name(look, table):
        return _LAST_RESORT if concepts <= {"thing", "id"} and "thing" in concepts else 0.0
    if concepts & (_ABOUT - {"description"}):
        return 0.0
    if concepts & {"person", "visit", "order", "behaviour", "contact", "label", "status", "value"}:
        return 0.0
    if "thing" in concepts:
        points = 100.0 if "id" in concepts else 92.0
        points -= 40.0 if "title" in concepts else 0.0
        points -= 45.0 if "description" in concepts else 0.0
        points -= 60.0 if "type" in concepts else 0.0
        points -= 8.0 if "other" in concepts else 0.0
        points -= min(preference(name), 60) * (1.0 if words_of(name)[-1] in _CODES else 0.05)
    elif concepts == {"id"}:
        points = 60.0 if table == "items" else 0.0
    elif "title" in concepts or "description" in concepts:
        points = 42.0 if table == "events" and concepts <= {"title", "description"} else 25.0
    else:
        return 0.0
    if table == "items" and len(look.column) > 3:
        points *= 0.5 + 0.5 * look.n_unique / len(look.column)
    return points


def _cannot_name(look: Look, table: Table) -> bool:
    """Tell whether values cannot be ids: fractions, moments, or the numbers of the rows of a log."""
    if not len(look.column):
        return False
    if look.is_fraction and bool((look.numbers % 1 != 0).mean() > 0.2):  # type: ignore[operator]
        return True
    return look.is_date or (table == "events" and look.is_row_number and len(look.column) >= 20)


def _timestamp(name: str, look: Look, table: Table) -> float:
    concepts = concepts_of(name)
    held = bool(len(look.texts))
    if look.column.dtype in (pl.Date, pl.Datetime):
        points = 60.0
    elif "time" in concepts and not concepts & {"duration", "count", "trait", "quantity", "price", "amount", "group"}:
        points = 60.0 if not held or look.times >= 0.5 else 0.0
        if not points and concepts == {"time"} and "day" not in words_of(name):
            counts = look.is_number and "stamp" not in name.lower()  # hours or years
            return 0.0 if counts or looks_like_times_of_day(look.column) else _LAST_RESORT
    else:
        return 43.0 if held and look.is_date and "secondary_time" not in concepts else 0.0
    if "time" in concepts:
        points += 35.0 - min(preference(name), 30)
    points -= 30.0 if "secondary_time" in concepts else 0.0
    points += 2.0 if concepts & {"order", "behaviour"} else 0.0
    points += 3.0 if "unix" in words_of(name) else 0.0
    points -= 15.0 if concepts & {"thing", "person", "place"} and concepts & {"other"} else 0.0
    return points


def _behaviour(name: str, look: Look, table: Table) -> float:
    concepts = concepts_of(name)
    held = bool(len(look.texts))
    if concepts & {"time", "id", "price", "row", "place", "person"}:
        return 0.0
    if held and look.is_number and not look.behaviours:
        return 0.0  # numbers name no behaviours, whatever the word
    if held and (not look.is_few or look.is_time or look.is_fraction):
        return _LAST_RESORT if "behaviour" in concepts and concepts <= {"behaviour", "type", "title"} else 0.0
    points = 0.0
    if "behaviour" in concepts and not concepts & {"quantity", "count", "rating", "amount", "value", "duration"}:
        points = 80.0 - (0 if concepts <= {"behaviour", "type", "title"} else 10.0)
    elif concepts == {"type"}:
        points = 50.0 if not held or not look.is_number else 0.0
    elif "status" in concepts and look.behaviours:
        points = 45.0
    known = look.behaviours if held else 0.0
    if known >= 0.5 and not concepts & {"group", "thing", "trait"}:
        points = max(points, 60.0) + 10.0 * known
    return points


def _value(name: str, look: Look, table: Table) -> float:
    concepts = concepts_of(name)
    says_yes_or_no = "label" in concepts and look.is_label and not concepts & {"time", "id", "person", "trait", "price"}
    kind = "label" if says_yes_or_no else named_kind(name)
    if kind is None or look.is_date or look.is_email:
        return 0.0
    if len(look.texts) and kind != "rating" and look.number_share < 0.5 and not look.is_label:
        return 0.0
    if kind == "label" and len(look.texts) and not (look.is_label or concepts_of(name) == {"label"}):
        return 0.0
    return _KINDS[kind] - min(preference(name), 60) * 0.1


def named_kind(name: str) -> str | None:
    """Return what the name of a column says that its numbers are of an event: a key of the kinds; None for nothing."""
    concepts = concepts_of(name)
    if concepts & {"statistic", "time", "group", "trait", "place", "address", "row", "id", "price"}:
        return None
    if "order" in concepts and not concepts & {"quantity", "amount"}:
        return None
    if concepts & {"text", "person", "contact"} and "rating" not in concepts:
        return None
    for kind in ("rating", "count", "duration", "quantity", "amount", "label", "value"):
        if kind not in concepts:
            continue
        if kind == "label" and concepts - {"label", "behaviour"}:
            return None
        if kind == "duration" and "thing" in concepts:
            return None  # how long a film is, not how long somebody watched it
        if kind == "value" and concepts - {"value", "behaviour", "rating"}:
            return None
        return kind
    return None


def is_of_item(frame: pl.DataFrame, item: str, name: str) -> bool:
    """Tell whether a column says something of the item: the same in all events of an item, another for other items."""
    pairs = frame.select(pl.col(item).alias("item"), pl.col(name).alias("value")).drop_nulls()
    per_item = pairs.group_by("item").agg(rows=pl.len(), values=pl.col("value").n_unique())
    again = per_item.filter(pl.col("rows") > 1)
    if again["rows"].sum() < 20 or pairs["value"].n_unique() < 3 or len(again) < 5:
        return False
    return bool((again["values"] == 1).all())


def _title(name: str, look: Look, table: Table) -> float:
    concepts = concepts_of(name)
    if concepts & (_ABOUT - {"description", "text"}) or concepts & {"person", "contact", "id", "type", "order"}:
        return 0.0
    held = bool(len(look.texts))
    if held and (look.is_number or look.is_time or look.is_link):
        return 0.0
    if "title" in concepts and not name.lower().endswith("labels"):
        points = 96.0 if "thing" in concepts else 95.0
        points -= 20.0 if concepts & {"text", "description", "other"} else 0.0
    elif words_of(name) == ("comment",):
        return 45.0  # Gorse's: what people are to know an item by in its dashboard
    elif "description" in concepts or concepts == {"thing"}:
        points = 20.0
    else:
        return 0.0
    points -= min(preference(name), 60) * 0.1
    if held and len(look.column) > 3:
        points *= 0.6 + 0.4 * look.n_unique / len(look.column)
    return points


_SCORES: Mapping[str, Callable[[str, Look, Table], float]] = {
    "user_id": _user,
    "item_id": _item,
    "timestamp": _timestamp,
    "behaviour": _behaviour,
    "value": _value,
    "title": _title,
}
