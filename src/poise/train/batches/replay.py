"""What a model is updated on: new events, and as many old ones."""

from __future__ import annotations

import numpy as np

from poise.data.event_log import EventLog
from poise.types import Mask

REPLAY = 1.0  # old events for each new one, with what came before it


def new_and_replayed(log: EventLog, until: int, context: int, *, seed: int = 0) -> Mask:
    """Return the events to learn from when a log has grown, bool ``[n_events]``.

    They are the new ones with those of the same people before them, and the whole histories of others, drawn at random,
    so that what was learnt of them is not forgotten. The source is Rolnick, Ahuja, Schwarz, Lillicrap and Wayne,
    *Experience Replay for Continual Learning*, 2019, who find half new and half old best; for recommendations, Mi, Lin
    and Faltings, *ADER: Adaptively Distilled Exemplar Replay Towards Continual Learning for Session-based
    Recommendation*, 2020.

    Args:
        log: all events.
        until: the time of the newest event that was learnt from; where the log has no timestamps, all events are new.
        context: how many events before the first new one of a person to show.
        seed: of the draw.
    """
    if not log.has_time:
        return np.ones(len(log), dtype=np.bool_)
    is_new = log.timestamp > until
    place = np.arange(len(log))
    nowhere = len(log) + context
    first = np.full(log.n_users + 1, nowhere)  # of each user's new events, in the log
    np.minimum.at(first, log.user[is_new], place[is_new])
    shown = place >= (first - context)[log.user]
    others = np.flatnonzero(first == nowhere)
    drawn = np.random.default_rng((seed, len(log))).permutation(others)
    lengths = np.diff(log.offsets)[drawn]
    enough = int(np.searchsorted(np.cumsum(lengths), REPLAY * shown.sum())) + 1 if shown.any() else 0
    replayed = np.zeros(log.n_users + 1, dtype=np.bool_)
    replayed[drawn[:enough]] = True
    return shown | replayed[log.user]
