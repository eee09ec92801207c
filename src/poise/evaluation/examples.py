"""Example lists to judge by eye: a user's history, and the slates of two models."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape

import numpy as np

from poise.data.holdout import Holdout
from poise.evaluation.report import Report
from poise.recommender import Recommender
from poise.slates import Slates
from poise.types import Offsets

_HISTORY = 10
_SHOWN_TARGETS = 5

STYLE = """<style>
.example { margin: 1.6rem 0 2.2rem; padding-top: .2rem; border-top: 1px solid var(--grid); break-inside: avoid; }
.example h3 { margin: .6rem 0 .2rem; }
.example > p { color: var(--muted); max-width: none; }
.lists { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr)); gap: .4rem 2rem; }
.lists > div { min-width: 0; }
.lists h4 { margin: .5rem 0 .3rem; font-size: .92rem; border-bottom: 1px solid var(--grid); padding-bottom: .25rem; }
.lists ol { margin: 0; padding-left: 1.7rem; font-size: .92rem; line-height: 1.4; }
.lists li { margin: .22rem 0; padding-left: .2rem; }
.lists li::marker { color: var(--muted); font-variant-numeric: tabular-nums; }
.lists .past { padding-left: 0; list-style: none; }
.lists .title { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden; }
.lists .hit > .title { font-weight: 700; color: var(--good); }
.lists .hit > .title::before { content: "✓ "; }
.lists .why { display: block; color: var(--muted); font-size: .84rem; display: -webkit-box;
  -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden; }
@media print { .lists { grid-template-columns: repeat(3, 1fr); } }
</style>"""


def choose_requests(report: Report, first: str, second: str, n: int, seed: int) -> Offsets:
    """Draw example requests: one where only ``first`` was right, one where only ``second`` was, the others from all.

    Returns:
        positions int64, at most ``n``, in the order drawn.
    """
    metric = f"NDCG@{report.cutoff}"  # above 0 wherever something was right
    measured = [report.metrics[model].get(metric) for model in (first, second)]
    right = [
        np.zeros(report.protocol.requests, dtype=np.bool_) if metric_values is None else metric_values.values > 0
        for metric_values in measured
    ]
    rng = np.random.default_rng(seed)
    chosen: list[int] = []
    for pool in (right[0] & ~right[1], right[1] & ~right[0]):
        if len(chosen) < n and pool.any():
            chosen.append(int(rng.choice(np.flatnonzero(pool))))
    remaining = np.setdiff1d(np.arange(report.protocol.requests), chosen)
    missing = min(n - len(chosen), len(remaining))
    return np.array([*chosen, *rng.choice(remaining, size=missing, replace=False)], dtype=np.int64)


def example_lists(holdout: Holdout, models: Mapping[str, Recommender], requests: Offsets, k: int) -> list[str]:
    """Return one HTML fragment per request: the history on the left, the slates of the models on the right.

    All titles are escaped.
    """
    part = holdout.take(requests)
    slates = {name: model.recommend(part.queries, k, explain=True) for name, model in models.items()}
    return [_example(part, slates, row) for row in range(len(part))]


def _example(part: Holdout, slates: Mapping[str, Slates], row: int) -> str:
    titles = part.train.titles
    user = int(part.queries.user[row])
    who = f"User {part.train.user_ids.id(user)}" if user else "Somebody unknown"
    targets = part.targets[row]
    then = "; ".join(titles[item] for item in targets[:_SHOWN_TARGETS])
    more = f" and {len(targets) - _SHOWN_TARGETS} more" if len(targets) > _SHOWN_TARGETS else ""
    lists = "".join(_slate(name, of_model, row, set(targets.tolist()), titles) for name, of_model in slates.items())
    return (
        f'<section class="example"><h3>{escape(who)}</h3><p>Then chose: {escape(then)}{more}</p>'
        f'<div class="lists">{_history(part, row, titles)}{lists}</div></section>'
    )


def _history(part: Holdout, row: int, titles: list[str]) -> str:
    queries = part.queries
    start, stop = int(queries.start[row]), int(queries.stop[row])
    first = max(start, stop - _HISTORY)
    lines = [f'<li class="why">{first - start:,} earlier events …</li>'] if first > start else []
    for event in range(first, stop):
        value = float(queries.events.value[event])
        rated = "" if math.isnan(value) else f" · {value:g}"
        lines.append(f'<li><span class="title">{escape(titles[queries.events.item[event]])}{rated}</span></li>')
    past = f'<ol class="past">{"".join(lines)}</ol>' if lines else "<p>Nothing is known.</p>"
    return f"<div><h4>History, newest last</h4>{past}</div>"


def _slate(name: str, slates: Slates, row: int, targets: set[int], titles: list[str]) -> str:
    lines = []
    for position, item in enumerate(slates.items[row].tolist()):
        if not item:
            break
        reasons = slates.reasons[row][position] if slates.reasons is not None else []
        why = "; ".join(reason.text(titles) for reason in reasons)
        hit = ' class="hit"' if item in targets else ""
        explanation = f'<span class="why">{escape(why)}</span>' if why else ""
        lines.append(f'<li{hit}><span class="title">{escape(titles[item])}</span>{explanation}</li>')
    n_hits = sum(item in targets for item in slates.items[row].tolist())
    verdict = f"{n_hits} right" if n_hits else "none right"
    return f"<div><h4>{escape(name)}: {verdict}</h4><ol>{''.join(lines)}</ol></div>"
