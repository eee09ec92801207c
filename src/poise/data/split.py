"""How to split a log so that no metric rests on what a model has seen: seven protocols, one result."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from poise.data.dataset import Dataset
from poise.data.holdout import Holdout, Split, shuffled, training_part
from poise.data.queries import Queries
from poise.data.ragged import Ragged, gather_slices
from poise.errors import DataError, UsageError
from poise.types import Mask, Offsets


def leave_last_out(data: Dataset, *, hide_seen: bool = True) -> Split:
    """Hold out each user's last event for test and the one before it for validation: what published tables report.

    A user with fewer than three events stays in training whole. The history of a test request includes the validation
    event: it had happened by then.
    """
    return _leave_last(data, 1, hide_seen, "leave-last-out")


def leave_random_out(data: Dataset, *, seed: int = 0, hide_seen: bool = True) -> Split:
    """Hold out one event of each user at random for test and another for validation: for logs without times.

    No event of such a log is known to be the last, and rows that are sorted by item or by rating would make the last
    one a special one. Histories are in random order, without times. A user with fewer than three events stays in
    training whole.

    Args:
        data: the data to part.
        seed: of the draw.
        hide_seen: whether items of the history are hidden, and so no targets.
    """
    return _leave_last(shuffled(data, seed), 1, hide_seen, "leave-random-out")


def leave_last_n(data: Dataset, n: int, *, hide_seen: bool = True) -> Split:
    """Hold out each user's last ``n`` events for test and the ``n`` before them for validation.

    A user with fewer than ``2 * n + 1`` events stays in training whole.
    """
    if n < 1:
        raise UsageError(f"n is {n}; at least one event must be held out")
    return _leave_last(data, n, hide_seen, f"leave-last-{n}")


def _leave_last(data: Dataset, n: int, hide_seen: bool, name: str) -> Split:
    log = data.events
    start, end = log.offsets[:-1], log.offsets[1:]
    users = np.flatnonzero(end - start >= 2 * n + 1)
    if not len(users):
        raise DataError(f"{name}: no user has {2 * n + 1} events or more; hold out fewer, or split by time")
    to_end = np.repeat(end, end - start) - np.arange(len(log))  # 1 for a user's last event
    long_enough = np.repeat(end - start >= 2 * n + 1, end - start)
    stop = end[users]
    until = np.full(data.user_ids.size, np.iinfo(np.int64).max)
    until[users] = log.timestamp[stop - 2 * n]
    train = training_part(data, ~(long_enough & (to_end <= 2 * n)), until=until)
    until[users] = log.timestamp[stop - n]
    both = training_part(data, ~(long_enough & (to_end <= n)), until=until)
    valid = _slices(data, train, "valid", users, stop - 2 * n, stop - 2 * n, stop - n, hide_seen)
    test = _slices(data, train, "test", users, stop - n, stop - n, stop, hide_seen)
    return Split(name, train, valid, test, both)


def global_time(data: Dataset, *, test: float | int = 0.1, valid: float | int = 0.1, hide_seen: bool = True) -> Split:
    """Train on all before one moment and test on all after it: what a live system meets.

    Events of the same time fall on the same side. Somebody without a past is asked for too, with an empty history.

    Args:
        data: events with real timestamps.
        test: the share of events to test on, or the moment from which on (milliseconds since 1970).
        valid: the same for validation, which ends where test begins.
        hide_seen: whether items of the history are hidden, and so no targets.

    Raises:
        DataError: the log has no times, or a part would be empty.
    """
    log = data.events
    if not log.has_time:
        raise DataError(
            f"{data.name!r} has no times, which a split by time needs: use leave-random-out "
            "(poise.split.leave_random_out)"
        )
    ordered = np.sort(log.timestamp)
    for name, wanted in (("test", test), ("valid", valid)):
        if not isinstance(wanted, float) and not ordered[0] < wanted <= ordered[-1]:
            raise UsageError(
                f"global_time: {name} is {wanted}; give a share of the events between 0 and 1, or a moment between "
                f"{ordered[0]} and {ordered[-1]}, milliseconds since 1970"
            )
    test_from = _moment(ordered, test, len(ordered))
    before = int(np.searchsorted(ordered, test_from))
    valid_from = _moment(ordered[:before], valid, len(ordered))
    in_valid = (log.timestamp >= valid_from) & (log.timestamp < test_from)
    train_mask = log.timestamp < valid_from
    if not train_mask.any() or not in_valid.any() or not (log.timestamp >= test_from).any():
        raise DataError(
            "global_time: a part would be without events: too many events share one time, or a wrong moment"
        )
    train = data.before(valid_from)
    valid_part = _between(data, train, "valid", valid_from, test_from, hide_seen)
    test_part = _between(data, train, "test", test_from, int(ordered[-1]) + 1, hide_seen)
    return Split("global time", train, valid_part, test_part, data.before(test_from))


def since(data: Dataset, moment: int, *, hide_seen: bool = True) -> Holdout:
    """Hold out all that was done from a moment on, to tell whether one model has fallen behind another.

    Args:
        data: events with real timestamps.
        moment: milliseconds since 1970.
        hide_seen: whether items of the history are hidden, and so no targets.

    Raises:
        DataError: the log has no times, nothing was done since, or nothing before.
    """
    before = data.events.timestamp < moment
    if not data.events.has_time or before.all() or not before.any():
        raise DataError(f"{data.name!r} has no events from {moment} on, or none before, by which to part them")
    return _between(data, data.before(moment), "test", moment, data.events.until + 1, hide_seen)


def _between(data: Dataset, train: Dataset, name: str, first: int, past: int, hide_seen: bool) -> Holdout:
    """Make a holdout of what was done from ``first`` to before ``past``; everybody is asked at the moment ``first``."""
    begin, end = _first_at_or_after(data, first), _first_at_or_after(data, past)
    users = np.flatnonzero(end > begin)
    return _slices(data, train, name, users, begin[users], begin[users], end[users], hide_seen, first)


def k_fold(data: Dataset, folds: int = 5, *, seed: int = 0, hide_seen: bool = True) -> list[Split]:
    """Deal the events into ``folds`` parts at random; each is the test part once, the next one the validation part.

    It answers how much a metric depends on chance. It is no picture of live use: a history then holds events from after
    its targets, and with ``folds`` below 3 nothing would be left to train on.
    """
    if folds < 3:
        raise UsageError(f"folds is {folds}; with a validation part, at least 3 are needed")
    rng = np.random.default_rng(seed)
    fold = rng.permutation(np.arange(data.n_events) % folds)
    splits = []
    for test_fold in range(folds):
        valid_fold = (test_fold + 1) % folds
        train_mask = (fold != test_fold) & (fold != valid_fold)
        train = training_part(data, train_mask)
        both = training_part(data, fold != test_fold)
        valid = _masked(data, train, train, "valid", fold == valid_fold, hide_seen)
        test = _masked(data, train, both, "test", fold == test_fold, hide_seen)
        splits.append(Split(f"fold {test_fold + 1} of {folds}", train, valid, test, both))
    return splits


def cold_users(
    data: Dataset, *, share: float = 0.1, history: int | None = None, seed: int = 0, hide_seen: bool = True
) -> Split:
    """Hold out whole users: can somebody be served who is not in the training data?

    The source of the protocol is "strong generalisation" in Liang, Krishnan, Hoffman and Jebara, *Variational
    Autoencoders for Collaborative Filtering*, 2018.

    Args:
        data: the data to part.
        share: the share of users to test on; as many again for validation.
        history: how many of a user's first events are shown; the target is the event after them. 0 asks for somebody
            with no history. None shows all but the last event.
        seed: of the draw.
        hide_seen: whether items of the history are hidden.
    """
    if history is not None and history < 0:
        raise UsageError(f"cold_users: history is {history}; it must be 0 or more events")
    log = data.events
    counts = np.diff(log.offsets)
    needed = 2 if history is None else history + 1
    users = np.flatnonzero(counts >= needed)
    n_test = max(1, round(share * len(users)))
    if not 0 < share < 0.5 or len(users) < 2 * n_test + 1:
        raise UsageError(
            f"cold_users: a share of {share} of {len(users)} users with {needed} events leaves no training"
        )
    drawn = np.random.default_rng(seed).permutation(users)
    groups = {"test": np.sort(drawn[:n_test]), "valid": np.sort(drawn[n_test : 2 * n_test])}
    held_out = np.zeros(data.user_ids.size, dtype=np.bool_)
    held_out[groups["test"]] = True
    both = training_part(data, ~held_out[log.user], users=held_out)
    held_out[groups["valid"]] = True
    train = training_part(data, ~held_out[log.user], users=held_out)
    parts = {}
    for name, group in groups.items():
        start = log.offsets[group]
        first_target = log.offsets[group + 1] - 1 if history is None else start + history
        parts[name] = _slices(data, train, name, group, first_target, first_target, first_target + 1, hide_seen)
    return Split("cold users", train, parts["valid"], parts["test"], both)


def cold_items(data: Dataset, *, share: float = 0.1, seed: int = 0, hide_seen: bool = True) -> Split:
    """Hold out whole items: can an item be recommended that nobody has touched?

    Training has no event of a held-out item. Each event on one is a target, and the history is what the user had done
    by then with the items that are left.
    """
    if not 0 < share < 0.5:
        raise UsageError(f"cold_items: share is {share}; it must lie between 0 and 0.5")
    log = data.events
    touched = np.flatnonzero(data.item_counts)
    n_test = max(1, round(share * len(touched)))
    if len(touched) < 2 * n_test + 1:
        raise UsageError(f"cold_items: a share of {share} of {len(touched)} items with events leaves no training")
    drawn = np.random.default_rng(seed).permutation(touched)
    part = np.zeros(data.item_ids.size, dtype=np.int8)
    part[drawn[:n_test]] = 1
    part[drawn[n_test : 2 * n_test]] = 2
    of_event = part[log.item]
    train = training_part(data, of_event == 0, items=part > 0)
    both = training_part(data, of_event != 1, items=part == 1)
    valid = _masked(data, train, train, "valid", of_event == 2, hide_seen, before=of_event == 0)
    test = _masked(data, train, both, "test", of_event == 1, hide_seen, before=of_event != 1)
    return Split("cold items", train, valid, test, both)


def _moment(ordered: Offsets, wanted: float | int, total: int) -> int:
    """Turn a share of ``total`` events, counted from the end of ``ordered``, into a moment."""
    if isinstance(wanted, float):
        if not 0 < wanted < 1:
            raise UsageError(f"a share of events must lie between 0 and 1, not be {wanted}")
        position = len(ordered) - round(wanted * total)
        if position <= 0:
            raise UsageError(f"a share of {wanted} leaves no events to train on")
        return int(ordered[min(position, len(ordered) - 1)])
    return int(wanted)


def _first_at_or_after(data: Dataset, moment: int) -> Offsets:
    """Return the position of each user's first event at or after ``moment``, int64 ``[n_users + 1]``."""
    earlier: Offsets = np.concatenate([[0], np.cumsum(data.events.timestamp < moment)])
    offsets = data.events.offsets
    return offsets[:-1] + earlier[offsets[1:]] - earlier[offsets[:-1]]


def _slices(
    data: Dataset,
    train: Dataset,
    name: str,
    users: Offsets,
    history_stop: Offsets,
    first: Offsets,
    past: Offsets,
    hide_seen: bool,
    moment: int | None = None,
) -> Holdout:
    """Make a holdout of users with the events ``first:past`` as targets and a history that ends at ``history_stop``."""
    log = data.events
    positions, offsets = gather_slices(first, past)
    time = None
    if log.has_time:
        time = log.timestamp[first] if moment is None else np.full(len(users), moment, dtype=np.int64)
    queries = Queries(
        events=log,
        start=log.offsets[users],
        stop=history_stop,
        user=users.astype(np.int32),
        item_ids=data.item_ids,
        time=time,
        context=log.context[first] if log.context.width else None,
        users=data.known_of(users),
        rejected=data.rejected_by(users, log.offsets[users], history_stop, time),
        hide_seen=hide_seen,
    )
    return _reachable(name, train, queries, Ragged(log.item[positions], offsets), positions, data)


def _masked(
    data: Dataset,
    train: Dataset,
    history_data: Dataset,
    name: str,
    targets: Mask,
    hide_seen: bool,
    before: Mask | None = None,
) -> Holdout:
    """Make a holdout whose targets are the masked events, and whose histories are slices of ``history_data``.

    Without ``before`` a user's targets are asked for at once, with their whole history. With it, each target is a
    request of its own, whose history ends before it; ``before`` marks the events of ``data`` in ``history_data``.
    """
    log = data.events
    positions = np.flatnonzero(targets)
    if not len(positions):
        raise DataError(f"no events are left for the {name} part")
    if before is None:
        users, first = np.unique(log.user[positions], return_index=True)
        offsets = np.concatenate([first, [len(positions)]]).astype(np.int64)
        stop = history_data.events.offsets[users + 1]
        time = None
    else:
        users = log.user[positions]
        offsets = np.arange(len(positions) + 1, dtype=np.int64)
        stop = np.concatenate([[0], np.cumsum(before)])[positions]  # a position in data is then one in history_data
        time = log.timestamp[positions] if log.has_time else None
    start, stop = history_data.events.offsets[users], stop.astype(np.int64)
    queries = Queries(
        events=history_data.events,
        start=start,
        stop=stop,
        user=users.astype(np.int32),
        item_ids=data.item_ids,
        time=time,
        context=log.context[positions] if before is not None and log.context.width else None,
        users=data.known_of(users),
        rejected=history_data.rejected_by(users, start, stop, time),
        hide_seen=hide_seen,
    )
    return _reachable(name, train, queries, Ragged(log.item[positions], offsets), positions, data)


def _reachable(
    name: str, train: Dataset, queries: Queries, targets: Ragged, positions: Offsets, data: Dataset
) -> Holdout:
    """Leave out the targets that a model may not answer, and those that stand twice in one request."""
    width = data.item_ids.size
    cell = targets.rows * width + targets.values
    keep = np.zeros(len(cell), dtype=np.bool_)
    keep[np.unique(cell, return_index=True)[1]] = True
    unreachable = 0
    if queries.hide_seen:
        seen = replace(queries, exclude=None).seen()
        hidden = _found(cell, seen.rows * width + seen.values)
        unreachable = int((keep & hidden).sum())
        keep &= ~hidden
    counts = np.bincount(targets.rows[keep], minlength=len(targets))
    left = np.flatnonzero(counts)
    if not len(left):
        raise DataError(f"no {name} request has an answer that may be given: all were seen before; use hide_seen=False")
    offsets = np.concatenate([[0], np.cumsum(counts[left])]).astype(np.int64)
    reachable = Ragged(targets.values[keep], offsets)
    return Holdout(name, train, queries.take(left), reachable, data.events.value[positions[keep]], unreachable)


def _found(cells: Offsets, among: Offsets) -> Mask:
    """Tell for the first of each of the equal ``cells`` whether it is ``among`` the others.

    NumPy's ``isin`` puts the long side into order or into a hash table that packed keys fill badly; this one the short.
    """
    order = np.argsort(cells, kind="stable")
    ordered = cells[order]
    place = np.searchsorted(ordered, among)
    place[place == len(ordered)] = 0
    is_found = np.zeros(len(cells), dtype=np.bool_)
    is_found[order[place[ordered[place] == among]]] = True
    return is_found


def by_name(protocol: str, data: Dataset, *, hide_seen: bool = True) -> Split:
    """Split by the name of a protocol, as ``poise.toml`` gives it.

    Where most events have no time, none is known to be the last: ``leave-last-out`` then leaves out one at random.

    Raises:
        UsageError: there is no such protocol.
    """
    protocols = {"leave-last-out": leave_last_out, "leave-random-out": leave_random_out, "global-time": global_time}
    if protocol == "leave-last-out" and not data.events.is_ordered:
        protocol = "leave-random-out"
    if protocol not in protocols:
        raise UsageError(f"there is no split {protocol!r}; choose from {', '.join(protocols)}")
    return protocols[protocol](data, hide_seen=hide_seen)
