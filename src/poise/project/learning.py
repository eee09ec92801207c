"""Learning on: a candidate continues from a run on what was done since, and takes its place only if it is no worse."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from poise.data import split as splitting
from poise.data.dataset import Dataset
from poise.data.holdout import Holdout
from poise.data.vocabulary import Vocabulary
from poise.errors import DataError
from poise.pipeline import Pipeline
from poise.project.fitting import Result, cutoffs_for, write_run
from poise.project.project import Project
from poise.project.run import ENCODER, Run
from poise.recommender import begins_with

if TYPE_CHECKING:
    from poise.evaluation import Report

LEAST_REQUESTS = 200  # to compare on: fewer tell little
SLICE = 0.05  # of all events, the newest, that are compared on
TOLERANCE = 0.01  # of the figure, that a candidate may lack where no difference is shown
CHALLENGER = "candidate"


@dataclass(frozen=True)
class Learnt:
    """What came of learning on.

    Attributes:
        run: the new run; None if the candidate was worse.
        parent: the name of the run that it continues from.
        metric: what they were compared by, such as ``NDCG@10``.
        champion: the figure of that run.
        challenger: the figure of what continued from it.
        p: the probability of a difference at least as large if the two were equally good.
        requests: how many requests they were compared on.
        new_events: how many events there are that the present run has not learnt from.
    """

    run: Run | None
    parent: str
    metric: str
    champion: float
    challenger: float
    p: float
    requests: int
    new_events: int

    @property
    def verdict(self) -> str:
        """What was decided, and why, in a line."""
        shown = (
            f"{self.metric} {self.challenger:.4f} against {self.champion:.4f} on the {self.requests:,} newest requests "
            f"(p {self.p:.3f})"
        )
        if self.run is None:
            return f"the candidate is worse than {self.parent} and is not kept: {shown}"
        return f"run {self.run.name} continues from {self.parent} with {self.new_events:,} new events: {shown}"


def learn(project: Project, run: Run, data: Dataset, *, requests: int = LEAST_REQUESTS) -> Learnt:
    """Let a run's pipeline learn on, and keep what comes of it as a new run if it is no worse.

    A candidate continues from the run on all but the newest events, and both answer the requests of these. It is no
    worse if its figure is at least as high, or if by a paired test no difference is shown and it lacks 1 % at most.
    Only then it learns from the newest events too.

    Args:
        project: where the run is kept.
        run: to continue from.
        data: all that there is by now, the old events too, with or without vectors.
        requests: how many requests to compare on, at least.

    Raises:
        DataError: too little was done since, or the data does not allow it.
        PoiseError: the disk is full; nothing is written then.
    """
    from poise.evaluation import evaluate

    started = time.perf_counter()
    data = run.encoded(as_known_to(run, data))
    until = _until(run, data)
    start = _start_of_newest(data, until, requests, run.name)
    holdout = splitting.since(data, start, hide_seen=project.config.policy.hide_seen)
    champion, challenger = (_grown(run, data) for _ in range(2))
    project.say(f"learning on from {run.name}")
    challenger.update(holdout.train)
    project.say(f"comparing on the {len(holdout):,} newest requests")
    models = {run.name: champion, CHALLENGER: challenger}
    report = evaluate(models, holdout, k=cutoffs_for(project, data), seed=project.config.evaluation.seed)
    found = _decide(report, run.name, int((data.events.timestamp > until).sum()))
    if not _no_worse(found):
        return found
    result = Result(
        pipeline=challenger,
        called=CHALLENGER,
        report=report,
        holdout=holdout,
        models=models,
        config=run.path / "config.toml",
        encoder=run.path / ENCODER if (run.path / ENCODER).is_dir() else None,
        until=data.events.until,
        metadata={
            "measured_on": "newest events",
            "refitted_on_all_events": True,
            "encoder": run.metadata.get("encoder"),
            "parent": run.name,
            "compared": {
                "by": found.metric,
                run.name: found.champion,
                CHALLENGER: found.challenger,
                "p": found.p,
                "requests": found.requests,
            },
        },
    )

    def learn_all() -> None:
        challenger.update(data)

    return replace(found, run=write_run(project, data, result, learn_all, started=started))


def compare_runs(project: Project, runs: Sequence[Run], data: Dataset, *, requests: int = LEAST_REQUESTS) -> Report:
    """Measure runs on the same requests: those since the newest event that any of them has learnt from.

    Args:
        project: where they are kept.
        runs: two or more.
        data: all that there is by now.
        requests: how many people must have done something since, at least.

    Raises:
        DataError: too little was done since, or the catalogues of the runs do not go together.
    """
    from poise.evaluation import evaluate

    data = as_known_to(max(runs, key=lambda run: run.pipeline.item_ids.size), data)
    holdout = newest(data, runs, requests=requests, hide_seen=project.config.policy.hide_seen)
    models = {run.name: _grown(run, run.encoded(data)) for run in runs}
    return evaluate(models, holdout, k=cutoffs_for(project, data), seed=project.config.evaluation.seed)


def newest(data: Dataset, runs: Sequence[Run], *, requests: int = LEAST_REQUESTS, hide_seen: bool = True) -> Holdout:
    """Return what people did since the newest event that any of the runs has learnt from.

    Raises:
        DataError: fewer than ``requests`` people did anything since.
    """
    until = max(_until(run, data) for run in runs)
    people = np.unique(data.events.user[data.events.timestamp > until])
    if len(people) < requests:
        raise DataError(
            f"only {len(people):,} people did anything since {' and '.join(run.name for run in runs)} learnt; "
            f"{requests:,} are needed to compare on"
        )
    return splitting.since(data, until + 1, hide_seen=hide_seen)


def as_known_to(run: Run, data: Dataset) -> Dataset:
    """Return the same data in the order that a run knows: its items first, and its behaviours under their codes.

    Items of the run that are no longer there stay as blanks.
    """
    return _with_codes(_with_items_first(data, run.pipeline.item_ids), run.metadata.get("behaviours", []))


def _with_items_first(data: Dataset, first: Vocabulary) -> Dataset:
    if begins_with(data.item_ids, first):
        return data
    added = np.flatnonzero(first.index(data.item_ids.series) == 0) + 1
    order = np.concatenate([data.item_ids.index(first.series), added])  # where each item was; 0 for those that are gone
    place = np.zeros(data.item_ids.size, dtype=np.int32)
    place[order] = np.arange(1, len(order) + 1)
    items = data.items
    if items.width:  # with a blank below, for those that are gone
        items = pl.concat([items, items.clear(1)])[np.where(order > 0, order - 1, data.n_items)]
    return replace(
        data,
        events=replace(data.events, item=place[data.events.item]),
        impressions=None if data.impressions is None else data.impressions.with_items(place),
        item_ids=Vocabulary(pl.concat([first.series, data.item_ids.series.gather(added - 1)])),
        items=items,
        vectors={name: vectors[np.append(0, order)] for name, vectors in data.vectors.items()},
    )


def _with_codes(data: Dataset, behaviours: Sequence[str]) -> Dataset:
    found = data.behaviour_ids.series.to_list()
    names = Vocabulary([*behaviours, *(name for name in found if name not in behaviours)])
    if names == data.behaviour_ids:
        return data
    code = np.concatenate([[0], names.index(found)]).astype(np.uint8)
    return replace(data, behaviour_ids=names, events=replace(data.events, behaviour=code[data.events.behaviour]))


def _grown(run: Run, data: Dataset) -> Pipeline:
    """Return the run's pipeline for a catalogue that has grown, so that no change of it reaches the run's own."""
    grown = run.pipeline.extend_catalogue(data)
    assert isinstance(grown, Pipeline)
    return grown


def _until(run: Run, data: Dataset) -> int:
    """Return the time of the newest event that a run has learnt from; by their number, if it did not keep the time."""
    if not data.events.has_time:
        raise DataError(f"{data.name!r} has no timestamps, which tell what is new: fit again instead")
    if run.until is not None:
        return run.until
    learnt: int = run.metadata["data"]["events"]
    return int(np.sort(data.events.timestamp)[: max(learnt, 1)][-1])


def _start_of_newest(data: Dataset, until: int, requests: int, name: str) -> int:
    """Return from which moment on to compare: the newest events, but no more than half of what is new."""
    log = data.events
    is_new = log.timestamp > until
    last = np.zeros(log.n_users + 1, dtype=np.int64)  # of each user's new events, the time of the last
    np.maximum.at(last, log.user[is_new], log.timestamp[is_new])
    last = np.sort(last[last > 0])
    new = np.sort(log.timestamp[is_new])
    half = int(new[len(new) // 2]) if len(new) else 0
    there = int((last >= half).sum())
    if there < requests:
        raise DataError(
            f"too little was done since {name} learnt: {len(new):,} events, and in the newer half of them "
            f"{there:,} people to compare on where {requests:,} are needed; wait for more"
        )
    share = int(np.sort(log.timestamp)[-max(round(SLICE * len(log)), 1)])
    return max(min(share, int(last[-requests])), half)


def _decide(report: Report, champion: str, new_events: int) -> Learnt:
    metric = report.primary
    (comparison,) = report.significance(metric)
    return Learnt(
        run=None,
        parent=champion,
        metric=metric,
        champion=report.estimates[champion][metric].value,
        challenger=report.estimates[CHALLENGER][metric].value,
        p=comparison.p,
        requests=report.protocol.requests,
        new_events=new_events,
    )


def _no_worse(found: Learnt) -> bool:
    from poise.evaluation.significance import ALPHA

    lacks = found.champion - found.challenger
    return lacks <= 0 or (found.p > ALPHA and lacks <= TOLERANCE * found.champion)
