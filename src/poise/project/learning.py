"""Updates: a challenger continues from a run, the champion, on new events, and replaces it only if it is no worse."""

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

if TYPE_CHECKING:
    from poise.evaluation import Report

LEAST_REQUESTS = 200  # to compare on: fewer are too noisy
SLICE = 0.05  # of all events, the newest: the holdout
TOLERANCE = 0.01  # of the metric, that a challenger may lack where the difference is not significant
CHALLENGER = "challenger"


@dataclass(frozen=True)
class UpdateResult:
    """The result of an update.

    Attributes:
        run: the new run; None if the challenger was worse.
        parent: the name of the run that it continues from.
        metric: that they were compared by, such as ``NDCG@10``.
        champion: its value for the parent.
        challenger: its value for the updated pipeline.
        p: the probability of a difference at least as large if the two were equally good.
        requests: how many requests they were compared on.
        new_events: how many events the champion was not trained on.
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
        """The decision and its reason, in one line."""
        from poise.evaluation.significance import ALPHA, p_text

        comparison = (
            f"{self.metric} {self.challenger:.4f} against {self.champion:.4f} on the {self.requests:,} newest requests "
            f"(p {p_text(self.p)})"
        )
        if self.run is None:
            return f"the challenger is worse than {self.parent} and is not kept: {comparison}"
        better = self.p <= ALPHA and self.challenger > self.champion
        found = f"is better than {self.parent}" if better else f"is not shown to be worse than {self.parent}"
        return (
            f"run {self.run.name} continues from {self.parent} with {self.new_events:,} new events, and {found}: "
            f"{comparison}; that was before it learnt from these too, which is not measured"
        )


def learn(project: Project, run: Run, data: Dataset, *, requests: int = LEAST_REQUESTS) -> UpdateResult:
    """Update a run's pipeline on new events, and save it as a new run if it is no worse.

    A challenger continues from the run on all but the newest events, and both answer the requests of these. It is no
    worse if its metric is at least as high, or if it lacks 1 % at most and the difference is not significant by a
    paired test. Only then is it trained on the newest events too.

    Args:
        project: where the run is kept.
        run: to continue from.
        data: all events, old and new, with or without vectors.
        requests: how many requests to compare on, at least.

    Raises:
        DataError: there are too few new events, or the data does not allow it.
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
    challenger.update(holdout.train, options=project.fit_options)
    project.say(f"comparing on the {len(holdout):,} newest requests")
    models = {run.name: champion, CHALLENGER: challenger}
    report = evaluate(models, holdout, k=cutoffs_for(project, data), seed=project.config.evaluation.seed)
    update = _decide(report, run.name, int((data.events.timestamp > until).sum()))
    if not _no_worse(update):
        return update
    result = Result(
        pipeline=challenger,
        metrics=report.estimates[CHALLENGER],
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
                "by": update.metric,
                run.name: update.champion,
                CHALLENGER: update.challenger,
                "p": update.p,
                "requests": update.requests,
            },
        },
    )

    def learn_all() -> None:
        challenger.update(data, options=project.fit_options)

    return replace(update, run=write_run(project, data, result, learn_all, started=started))


def compare_runs(project: Project, runs: Sequence[Run], data: Dataset, *, requests: int = LEAST_REQUESTS) -> Report:
    """Evaluate runs on the same requests: those since the newest event that any of them was trained on.

    Args:
        project: that has them.
        runs: two or more.
        data: all events.
        requests: how many users must have new events, at least.

    Raises:
        DataError: there are too few new events, or the catalogues of the runs differ.
    """
    from poise.evaluation import evaluate

    data = as_known_to(max(runs, key=lambda run: run.pipeline.item_ids.size), data)
    holdout = newest(data, runs, requests=requests, hide_seen=project.config.policy.hide_seen)
    models = {run.name: _grown(run, run.encoded(data)) for run in runs}
    return evaluate(models, holdout, k=cutoffs_for(project, data), seed=project.config.evaluation.seed)


def newest(data: Dataset, runs: Sequence[Run], *, requests: int = LEAST_REQUESTS, hide_seen: bool = True) -> Holdout:
    """Return a holdout of the events since the newest event that any of the runs was trained on.

    Raises:
        DataError: fewer than ``requests`` users have new events.
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
    """Return the data in the order of a run: its items first, and its behaviours with their codes.

    Items of the run that no longer exist stay as blanks.
    """
    return _with_codes(_with_items_first(data, run.pipeline.item_ids), run.metadata.get("behaviours", []))


def _with_items_first(data: Dataset, first: Vocabulary) -> Dataset:
    if data.item_ids.begins_with(first):
        return data
    added = np.flatnonzero(first.index(data.item_ids.series) == 0) + 1
    order = np.concatenate([data.item_ids.index(first.series), added])  # the old index of each item; 0 for deleted ones
    new_index = np.zeros(data.item_ids.size, dtype=np.int32)
    new_index[order] = np.arange(1, len(order) + 1)
    items = data.items
    if items.width:  # with a blank row for deleted ones
        items = pl.concat([items, items.clear(1)])[np.where(order > 0, order - 1, data.n_items)]
    return replace(
        data,
        events=replace(data.events, item=new_index[data.events.item]),
        rejections=None if (log := data.rejections) is None else replace(log, item=new_index[log.item]),
        impressions=None if data.impressions is None else data.impressions.with_items(new_index),
        item_ids=Vocabulary(pl.concat([first.series, data.item_ids.series.gather(added - 1)])),
        items=items,
        vectors={name: vectors[np.append(0, order)] for name, vectors in data.vectors.items()},
    )


def _with_codes(data: Dataset, behaviours: Sequence[str]) -> Dataset:
    present = data.behaviour_ids.series.to_list()
    return data.with_codes(Vocabulary([*behaviours, *(name for name in present if name not in behaviours)]))


def _grown(run: Run, data: Dataset) -> Pipeline:
    """Return a copy of the run's pipeline, extended to the present catalogue."""
    grown = run.pipeline.extend_catalogue(data)
    assert isinstance(grown, Pipeline)
    return grown


def _until(run: Run, data: Dataset) -> int:
    """Return the time of the newest event that a run was trained on; by their number, if it has no time."""
    if not data.events.has_time:
        raise DataError(f"{data.name!r} has no timestamps, which tell what is new: fit again instead")
    if run.until is not None:
        return run.until
    learnt: int = run.metadata["data"]["events"]
    return int(np.sort(data.events.timestamp)[: max(learnt, 1)][-1])


def _start_of_newest(data: Dataset, until: int, requests: int, name: str) -> int:
    """Return the start of the holdout: the newest events, but at most half of the new ones."""
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


def _decide(report: Report, champion: str, new_events: int) -> UpdateResult:
    metric = report.primary
    (comparison,) = report.significance(metric)
    return UpdateResult(
        run=None,
        parent=champion,
        metric=metric,
        champion=report.estimates[champion][metric].value,
        challenger=report.estimates[CHALLENGER][metric].value,
        p=comparison.p,
        requests=report.protocol.requests,
        new_events=new_events,
    )


def _no_worse(update: UpdateResult) -> bool:
    from poise.evaluation.significance import ALPHA

    lacks = update.champion - update.challenger
    return lacks <= 0 or (update.p > ALPHA and lacks <= TOLERANCE * update.champion)
