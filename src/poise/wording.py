"""What people did, in words: for reasons that are true of the events that they speak of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from poise.types import Floats

if TYPE_CHECKING:
    from poise.data.dataset import Dataset
    from poise.data.queries import Queries

_PAST = {
    "view": "viewed",
    "click": "clicked",
    "like": "liked",
    "favorite": "liked",
    "favourite": "liked",
    "cart": "put in the cart",
    "add_to_cart": "put in the cart",
    "addtocart": "put in the cart",
    "purchase": "bought",
    "buy": "bought",
    "order": "bought",
    "transaction": "bought",
    "rate": "rated",
    "rating": "rated",
    "review": "reviewed",
    "skip": "skipped",
    "play": "played",
    "listen": "listened to",
    "watch": "watched",
    "read": "read",
    "share": "shared",
    "save": "saved",
    "bookmark": "saved",
    "wishlist": "saved",
    "download": "downloaded",
    "visit": "visited",
    "stream": "streamed",
    "borrow": "borrowed",
    "rent": "rented",
    "complete": "finished",
    "finish": "finished",
    "follow": "followed",
    "subscribe": "subscribed to",
    "dislike": "disliked",
    "hide": "hid",
    "dismiss": "dismissed",
    "report": "reported",
    "unlike": "no longer liked",
    "return": "returned",
    "refund": "returned",
    "cancel": "cancelled",
    "remove_from_cart": "took out of the cart",
    "uninstall": "uninstalled",
}


def verbs(data: Dataset, queries: Queries, row: int) -> dict[int, str]:
    """Return what the person of one request did with each item of their history: ``liked``, ``bought`` ...

    A rating counts as ``liked`` from the median of all ratings on. The newest event on an item decides.

    Args:
        data: the data set that the request's history is a slice of.
        queries: the requests.
        row: which of them.
    """
    log = queries.events
    of_row = slice(int(queries.start[row]), int(queries.stop[row]))
    names = data.behaviour_ids.series.to_list()
    liked_from = median_value(data.events.value)
    verb_of = {}
    for item, code, value in zip(log.item[of_row], log.behaviour[of_row], log.value[of_row], strict=True):
        verb_of[int(item)] = verb(names[code - 1], float(value), liked_from)
    return verb_of


def verb(behaviour: str, value: float, liked_from: float) -> str:
    """Return what somebody did with an item, in the past tense.

    Args:
        behaviour: its name in the log.
        value: of the event; NaN if it has none.
        liked_from: the rating from which they liked it; NaN where there are no ratings.
    """
    past = _PAST.get(_plain(behaviour), "chose")
    return "liked" if past == "rated" and value >= liked_from else past


def is_worded(behaviour: str) -> bool:
    """Tell whether a behaviour has a word of its own; of others :func:`verb` says no more than that it was chosen."""
    return _plain(behaviour) in _PAST


def _plain(behaviour: str) -> str:
    return behaviour.strip().lower().replace(" ", "_").replace("-", "_")


def median_value(value: Floats) -> float:
    """Return the median of the values that events have, NaN if none has one: from it on, a rating is a like."""
    given = value[~np.isnan(value)]
    return float(np.median(given)) if len(given) else float("nan")
