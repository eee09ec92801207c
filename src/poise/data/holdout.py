from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from poise.data.dataset import Dataset
from poise.data.queries import Queries
from poise.data.ragged import Ragged
from poise.types import Floats, Mask, Offsets


@dataclass(frozen=True)
class Holdout:
    """What people did after the events that a model may learn from: the questions and their true answers.

    Attributes:
        name: ``valid`` or ``test``.
        train: the training data; evaluation takes popularity and new items from it.
        queries: one request each, with the history as it was at that moment.
        targets: the items that were then chosen, in order.
        values: float32 ``[total]``, the value of each target's event (a rating, say), NaN where it has none.
        unreachable: how many targets were left out because they stand in the history, where seen items are hidden: no
            model can be right about them.
    """

    name: str
    train: Dataset
    queries: Queries
    targets: Ragged
    values: Floats
    unreachable: int = 0

    def __len__(self) -> int:
        return len(self.queries)

    def take(self, rows: Mask | Offsets) -> Holdout:
        """Return the part with the chosen requests; ``rows`` is a mask ``[n]`` or positions."""
        positions = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows.astype(np.int64)
        targets = self.targets.take(positions)
        values = Ragged(self.values, self.targets.offsets).take(positions).values  # type: ignore[arg-type]
        return Holdout(self.name, self.train, self.queries.take(rows), targets, values, self.unreachable)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Split:
    """A data set split into a training part, a part to select options on, and a part to report metrics on.

    Attributes:
        name: the protocol, for reports.
        train: the events to learn from.
        valid: to choose a model and its options on.
        test: to report metrics on, once.
        train_and_valid: the training and the validation events together, to refit on before serving.
    """

    name: str
    train: Dataset
    valid: Holdout
    test: Holdout
    train_and_valid: Dataset


def training_part(
    data: Dataset,
    keep: Mask,
    *,
    until: Offsets | None = None,
    users: Mask | None = None,
    items: Mask | None = None,
) -> Dataset:
    """Return the data set with the events that are not held out, and the impressions that tell nothing of the others.

    The same goes for what people said no to. A request that a held-out event followed is left out whole: it would say
    that nobody wanted the target.

    Args:
        data: the data to part.
        keep: bool ``[n_events]``.
        until: int64 ``[n_users + 1]``, the moment by user from which on impressions and rejections are held out too.
        users: bool ``[n_users + 1]``, whose impressions and rejections are held out.
        items: bool ``[n_items + 1]``, of which impressions and rejections are held out.
    """
    left, log = _without_later_rejections(data.select(keep), until, users, items), data.impressions
    if log is None or left.impressions is None:
        return left
    held_out = np.zeros(len(log), dtype=np.bool_)
    held_out[log.outcome_shown[~keep[log.outcome_event]]] = True
    shown = ~log.in_same_request(held_out)
    if until is not None:
        shown &= (log.time < until[log.user])[log.request]
    if users is not None:
        shown &= ~users[log.user][log.request]
    if items is not None:
        shown &= ~items[log.item]
    return replace(left, impressions=left.impressions.select(shown))


def _without_later_rejections(data: Dataset, until: Offsets | None, users: Mask | None, items: Mask | None) -> Dataset:
    log = data.rejections
    if log is None:
        return data
    keep = np.ones(len(log), dtype=np.bool_)
    if until is not None and log.has_time:
        keep &= log.timestamp < until[log.user]
    if users is not None:
        keep &= ~users[log.user]
    if items is not None:
        keep &= ~items[log.item]
    return replace(data, rejections=log.select(keep))


def shuffled(data: Dataset, seed: int) -> Dataset:
    """Return the data with each user's events in random order and without times."""
    log = data.events
    order = np.lexsort((np.random.default_rng(seed).random(len(log)), log.user))
    shuffled = replace(
        log,
        item=log.item[order],
        behaviour=log.behaviour[order],
        value=log.value[order],
        timestamp=np.zeros(len(log), dtype=np.int64),
        context=log.context[order] if log.context.width else log.context,
        has_time=False,
    )
    impressions = data.impressions
    if impressions is not None:
        place = np.argsort(order)
        impressions = replace(impressions, outcome_event=place[impressions.outcome_event])
    return replace(data, events=shuffled, impressions=impressions)
