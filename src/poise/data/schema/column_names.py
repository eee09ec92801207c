"""What the columns of a table are called, and what they are called here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from poise.errors import DataError, UsageError, suggest

Table = Literal["events", "items", "users"]

# In order of preference, in lower case without anything but letters and digits.
_COMMON: Mapping[str, tuple[str, ...]] = {
    "user_id": (
        *("userid", "user", "uid", "useridx", "usercode", "userno", "customerid", "customer", "customercode"),
        *("visitorid", "visitor", "memberid", "member", "clientid", "client", "reviewerid", "accountid", "account"),
        *("personid", "person", "householdid", "householdkey", "readerid", "listenerid", "viewerid", "subscriberid"),
        *("buyerid", "shopperid", "playerid", "authorid", "username", "nickname", "profileid", "deviceid", "cookieid"),
        *("sessionid", "session", "reviewer"),
    ),
    "item_id": (
        *("itemid", "item", "iid", "itemidx", "itemcode", "itemno", "movieid", "movie", "filmid", "film", "productid"),
        *("product", "productcode", "parentasin", "asin", "articleid", "article", "newsid", "bookid", "book", "isbn"),
        *("trackid", "track", "songid", "song", "artistid", "artist", "videoid", "video", "businessid", "gmapid"),
        *("contentid", "content", "postid", "post", "adid", "gameid", "game", "appid", "recipeid", "courseid", "jobid"),
        *("poiid", "venueid", "placeid", "listingid", "offerid", "animeid", "showid", "documentid", "docid", "imdbid"),
        *("sku", "stockcode", "streamerid", "streamer", "goodsid", "objectid", "id"),
    ),
    "behaviour": (
        *("behaviour", "behavior", "eventtype", "event", "action", "actiontype", "behaviourtype", "behaviortype"),
        *("feedbacktype", "interactiontype", "interaction", "eventname", "activity", "activitytype", "type"),
    ),
    "value": (
        *("value", "rating", "score", "stars", "overall", "eventvalue", "ratingvalue", "bookrating", "weight"),
        *("quantity", "qty", "playcount", "plays", "listens", "count", "strength"),
    ),
    "timestamp": (
        *("timestamp", "ts", "time", "timestampms", "timestamps", "unixtime", "unixreviewtime", "unixtimestamp"),
        *("eventtime", "eventtimestamp", "ratedat", "datetime", "createdat", "createtime", "creationtime", "created"),
        *("date", "eventdate", "orderdate", "invoicedate", "purchasedate", "transactiondate", "transactiontime"),
        *("tdat", "reviewdate", "reviewtime", "sentat", "day", "when"),
    ),
    "title": (
        *("title", "name", "movietitle", "productname", "producttitle", "itemname", "itemtitle", "prodname"),
        *("booktitle", "trackname", "songname", "songtitle", "articletitle", "headline", "videotitle", "gamename"),
        *("filmtitle", "displayname", "label", "originaltitle"),
        "comment",  # Gorse's: what people are to know an item by in its dashboard
    ),
}
CANONICAL: Mapping[Table, tuple[str, ...]] = {
    "events": ("user_id", "item_id", "behaviour", "value", "timestamp"),
    "items": ("item_id", "title"),
    "users": ("user_id",),
}
"""The canonical names of the columns that Poise reads."""
_REQUIRED: Mapping[Table, tuple[str, ...]] = {
    "events": ("user_id", "item_id"),
    "items": ("item_id",),
    "users": ("user_id",),
}
_AVAILABLE = ("available", "isavailable")
_HIDDEN = ("ishidden", "hidden")
_RATINGS = {"rating", "score", "stars", "overall", "ratingvalue", "bookrating"}


def guess(columns: Sequence[str], table: Table = "events") -> dict[str, str]:
    """Guess which column is which from common names, in any case and with any signs between the words.

    Args:
        columns: the names that were found.
        table: what the table holds: ``events``, ``items`` or ``users``.

    Returns:
        canonical name to the name found, for those that are clear: of events ``user_id``, ``item_id``, ``behaviour``,
        ``value`` and ``timestamp``, of items ``item_id`` and ``title``, of users ``user_id``.
    """
    return _guess(columns, table, {})


def resolve(columns: Sequence[str], table: Table, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return which column is which: what was given, and guesses for the rest.

    Args:
        columns: the names that were found.
        table: what the table holds.
        given: canonical name to the name found; to an empty name if there is no such column.

    Raises:
        UsageError: a column was given twice, or a canonical name is misspelt.
        DataError: a given column is not there, or an id column is neither given nor to be guessed.
    """
    given = dict(given or {})
    for canonical, name in given.items():
        if canonical not in CANONICAL[table]:
            raise UsageError(
                f"{canonical!r} is no column that {table} have here.{suggest(canonical, CANONICAL[table])} "
                f"Choose from {', '.join(CANONICAL[table])}; all other columns keep their names"
            )
        if name and name not in columns:
            raise DataError(
                f"the {table} have no column {name!r} (for {canonical}).{suggest(name, list(columns))} "
                f"They have: {', '.join(columns)}"
            )
    used = [name for name in given.values() if name]
    if len(set(used)) < len(used):
        twice = next(name for name in used if used.count(name) > 1)
        raise UsageError(f"the column {twice!r} of the {table} was given two meanings; give it one")
    names = _guess(columns, table, given)
    for canonical in _REQUIRED[table]:
        if canonical not in names:
            raise DataError(_missing(canonical, columns, table))
    return names


def availability(columns: Sequence[str]) -> tuple[str, bool] | None:
    """Tell which column of a catalogue says whether an item may be recommended.

    Args:
        columns: the names that were found.

    Returns:
        its name, and whether it is true for items that may; None if there is no such column.
    """
    for names, if_true in ((_AVAILABLE, True), (_HIDDEN, False)):
        column = next((name for name in columns if _plain(name) in names), None)
        if column is not None:
            return column, if_true
    return None


def is_rating(name: str) -> bool:
    """Tell whether a column of values with this name holds ratings, rather than amounts or counts."""
    return _plain(name) in _RATINGS


def _guess(columns: Sequence[str], table: Table, given: Mapping[str, str]) -> dict[str, str]:
    by_plain = {_plain(name): name for name in reversed(columns) if name not in given.values()}
    names = dict(given)
    for canonical in CANONICAL[table]:
        if canonical in names:
            continue
        candidates = _COMMON[canonical]
        if canonical == "user_id" and table == "users":
            candidates = (*candidates, "id")
        if canonical == "item_id" and table == "events":
            candidates = candidates[:-1]  # "id" in a log is the number of the event
        name = next((by_plain.pop(candidate) for candidate in candidates if candidate in by_plain), None)
        if name is not None:
            names[canonical] = name
    return {canonical: name for canonical, name in names.items() if name}


def _missing(canonical: str, columns: Sequence[str], table: Table) -> str:
    what = {"user_id": "who it was", "item_id": "which item it is"}[canonical]
    message = f"the {table} have no column that says {what} ({canonical}); they have: {', '.join(columns)}."
    if any(re.fullmatch(r"[\d.+-]+(_duplicated_\d+)?", name) for name in columns):
        order = "'user_id', 'item_id', ..." if table == "events" else f"{canonical!r}, ..."
        return f"{message} The first line looks like data, not a header: say what the columns are, names=[{order}]"
    option = {"events": "columns", "items": "item_columns", "users": "user_columns"}[table]
    close = suggest(canonical, list(columns))
    return f"{message}{close} Say which it is: {option}={{{canonical!r}: 'NAME'}}"


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
