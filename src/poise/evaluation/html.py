"""An evaluation as an HTML page: the result in words, metrics, groups, and example lists to judge by eye."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from poise.data.holdout import Holdout
from poise.errors import UsageError
from poise.evaluation import plots
from poise.evaluation.evaluate import Models, name_models
from poise.evaluation.examples import STYLE, choose_requests, example_lists
from poise.evaluation.items import HEAD_SHARE
from poise.evaluation.metrics import METRICS, metric_of
from poise.evaluation.report import Report, show
from poise.evaluation.significance import Estimate
from poise.recommender import Recommender
from poise.report.page import Page, Tone

_MOST_IN_PLOT = 6
_MOST_COLUMNS = 6
_MAIN = ("NDCG", "Recall", "HitRate", "MRR", "AUC", "RMSE", "MAE")


def write_report(
    report: Report,
    path: Path | str,
    *,
    holdout: Holdout,
    models: Models,
    remarks: Sequence[tuple[str, Tone]] = (),
    examples: int = 3,
    seed: int = 0,
) -> None:
    """Write an evaluation as one HTML file that needs no network.

    Args:
        report: of :func:`~poise.evaluation.evaluate`.
        path: where to write it.
        holdout: that was evaluated.
        models: that were evaluated, as given to ``evaluate``: the examples ask them again.
        remarks: sentences that stand first, each with its tone.
        examples: how many people to show, with their history and the slates of the two best models.
        seed: of the random examples.

    Raises:
        UsageError: the holdout or the models are not those of the report.
    """
    named = name_models(models)
    if set(named) != set(report.models) or len(holdout) != report.protocol.requests:
        raise UsageError("the report is of other models or requests: give write_report what was given to evaluate")
    protocol = report.protocol
    page = Page(
        f"How good are the recommendations? {protocol.data}",
        f"{len(report.models)} models, {protocol.requests:,} requests of the {protocol.part} part, "
        f"each answered from all {protocol.items:,} items",
    )
    _result(page, report, remarks)
    _accuracy(page, report)
    _beyond(page, report)
    _groups(page, report)
    if examples > 0:
        _examples(page, report, holdout, named, examples=examples, seed=seed)
    _protocol(page, report)
    _meanings(page, report)
    page.heading("All metrics")
    _table(page, report, report.names, f"Models from the best to the worst by {report.primary}.")
    page.write(path)


def headline(report: Report) -> str:
    """Return in words which model is best, by how much, and whether that is significant."""
    metric = report.primary
    best = report.best()
    estimate = report.estimates[best][metric]
    value = f"{metric} {estimate.value:.4f} (95 % interval {estimate.low:.4f} to {estimate.high:.4f})"
    if len(report.models) == 1:
        return f"{best} reaches {value}. There is no other model to compare it with."
    compared = report.significance() if metric in report.metrics[best] else []
    sentence = f"{best} is the best: {value}."
    if not compared:
        return sentence
    following = compared[0]
    lead = abs(following.difference.value)
    against = report.estimates[following.other][metric].value
    share = f", or {100 * lead / against:.0f} %," if against > 0 else ""
    sentence += f" That is {lead:.4f}{share} better than {following.other}, the next best."
    equal = [comparison.other for comparison in compared if not comparison.real]
    if not equal:
        return sentence + " The lead over every other model is more than chance."
    return (
        sentence + f" No difference is shown to {_and(equal)}: more requests might tell them apart, or nothing would."
    )


def _result(page: Page, report: Report, remarks: Sequence[tuple[str, Tone]]) -> None:
    page.heading("Result")
    for sentence, tone in remarks:
        page.text(sentence, tone)
    compared = report.significance() if report.primary in report.metrics[report.best()] else []
    unsure = any(not comparison.real for comparison in compared)
    page.text(headline(report), "warning" if unsure else "good" if compared else "plain")
    if compared:
        page.table(
            ["Compared with", "Difference", "95 % interval", "p", "p, Holm", "In words"],
            [
                [
                    comparison.other,
                    comparison.difference.value,
                    _solid(f"{comparison.difference.low:.4f} to {comparison.difference.high:.4f}"),
                    _p(comparison.p),
                    _p(comparison.p_holm),
                    "better" if comparison.real else "no difference shown",
                ]
                for comparison in compared
            ],
            caption=f"{report.best()} against each of the others by {report.primary}.",
        )
        page.text(
            "Compared request by request. p is the probability of a lead at least as large if both were equally good "
            "(randomisation test); Holm's correction allows for the number of comparisons."
        )


def _accuracy(page: Page, report: Report) -> None:
    page.heading("Accuracy")
    accuracy = [name for name in report.names if metric_of(name).family != "beyond"]
    main = [name for name in accuracy if "@" not in name or name.endswith(f"@{report.cutoff}")]
    columns = [name for name in main if name.split("@", maxsplit=1)[0] in _MAIN] or main[:_MOST_COLUMNS]
    page.table(
        ["Model", *columns],
        [[model, *(_cell(report, model, metric) for metric in columns)] for model in report.ordered()],
        caption="The best model first; ± is half the 95 % interval.",
    )
    in_words = ", ".join(f"{name} {_cell(report, name, report.primary)}" for name in report.ordered())
    page.figure(
        plots.models_by(report, report.primary),
        f"{report.primary} with its 95 % interval.",
        f"{report.primary} of each model: {in_words}",
    )
    if report.protocol.targets == report.protocol.requests and {"Recall", "HitRate"} <= _bare(report.names):
        page.text("Each request has one target here, so HitRate equals Recall, MAP equals MRR and DCG equals NDCG.")


def _beyond(page: Page, report: Report) -> None:
    beyond = [name for name in report.names if metric_of(name).family == "beyond"]
    if not beyond:
        return
    page.heading("Beyond accuracy")
    page.text(
        "What the slates are like. Read these together with accuracy: a model that draws at random is the most novel "
        "and the most even of all. They are dials to be set, not races to be won."
    )
    main = [name for name in beyond if name.endswith(f"@{report.cutoff}")]
    _table(page, report, main, f"Models from the best to the worst by {report.primary}; ± is half the 95 % interval.")
    for across, meaning in (("Coverage", "more of the catalogue is shown"), ("Novelty", "rarer items are shown")):
        metric = f"{across}@{report.cutoff}"
        if metric in beyond and len(report.models) > 1:
            page.figure(
                plots.trade_off(report, metric, report.primary),
                f"Further right, {meaning}; further up, slates are more accurate.",
                f"{report.primary} of each model against its {metric}.",
            )


def _groups(page: Page, report: Report) -> None:
    page.heading("For whom")
    page.text(
        f"By how known the chosen item is: the head is the most popular items that hold {100 * HEAD_SHARE:.0f} % of "
        "the training events, the tail all others; cold items have none. And by what is known of the person."
    )
    of_items = report.by_item_group()
    parts = [("item group", str(of_items["metric"][0]), of_items)] if of_items.height else []
    of_users = report.by_user_group()
    if of_users.height:
        by_grouping = of_users.partition_by("grouping", maintain_order=True)
        parts += [(str(part["grouping"][0]), report.primary, part) for part in by_grouping]
    models = report.ordered()[:_MOST_IN_PLOT]
    for name, metric, frame in parts:
        caption = f"{metric} by {name}"
        page.figure(plots.by_group(frame, models, metric), f"{caption}.", f"{caption} of each model; values below.")
    for name, metric, frame in parts:
        _group_table(page, report, frame, name.capitalize(), f"{metric} by {name}.")


def _examples(
    page: Page, report: Report, holdout: Holdout, models: dict[str, Recommender], *, examples: int, seed: int
) -> None:
    ordered = report.ordered()
    first, second = ordered[0], ordered[min(1, len(ordered) - 1)]
    requests = choose_requests(report, first, second, examples, seed)
    page.heading("Examples to judge")
    page.text(
        f"People drawn by chance: first one for whom only {first} was right, then one for whom only {second} was, "
        "then anybody. So they say what lists look like, not how often they are right. A tick marks what was chosen."
        if first != second
        else "People drawn by chance, first one for whom the list was right. A tick marks what was chosen."
    )
    two_models = {name: models[name] for name in dict.fromkeys((first, second))}
    page.html(STYLE + "\n".join(example_lists(holdout, two_models, requests, report.cutoff)))


def _protocol(page: Page, report: Report) -> None:
    page.heading("What was evaluated")
    protocol = report.protocol
    rows = [
        ["Data", protocol.data],
        ["Part", protocol.part],
        ["Requests", f"{protocol.requests:,}"],
        ["Items then chosen (targets)", f"{protocol.targets:,}"],
        [
            "Targets left out as unreachable",
            f"{protocol.unreachable:,}: in the history, which is hidden"
            if protocol.hide_seen
            else f"{protocol.unreachable:,}",
        ],
        [
            "Items ranked for each request",
            f"{protocol.items:,}: the whole catalogue"
            + (", less what the person had seen" if protocol.hide_seen else ""),
        ],
        ["Events learnt from", f"{protocol.train_events:,}"],
        ["Diversity measured on", protocol.content or "nothing: the items have neither vectors nor labels"],
        ["Calibration measured on", protocol.labels or "nothing: the items have no labels"],
        ["Resamples for intervals", f"{protocol.resamples:,}"],
        ["Seed", f"{protocol.seed}"],
    ]
    rows += [[f"Seconds of {name}", f"{report.seconds[name]:.1f} for all rankings"] for name in report.models]
    page.table(["What", "Value"], rows)


def _meanings(page: Page, report: Report) -> None:
    page.heading("What the metrics mean")
    used = _bare(report.names)
    page.table(
        ["Metric", "Meaning", "Better"],
        [
            [metric.name, metric.meaning, "more" if metric.better == "max" else "less"]
            for metric in METRICS.values()
            if metric.name in used
        ],
        caption="k in NAME@k is the number of places that count. All items that were then chosen are right, all others "
        "wrong, though people might have liked some of those: metrics compare models, they do not measure delight.",
    )


def _table(page: Page, report: Report, metrics: list[str], caption: str) -> None:
    """Add one row per metric and one column per model."""
    models = report.ordered()
    rows = [[metric, *(_cell(report, model, metric) for model in models)] for metric in metrics]
    page.table(["Metric", *models], rows, caption=caption)


def _group_table(page: Page, report: Report, frame: pl.DataFrame, first: str, caption: str) -> None:
    rows = []
    for (group,), part in frame.group_by(["group"], maintain_order=True):
        cells = {row["model"]: Estimate(row["value"], row["low"], row["high"], row["n"]) for row in part.to_dicts()}
        metric = part["metric"][0]
        texts = [_solid(show(metric, cells.get(name))) for name in report.ordered()]
        rows.append([group, max(estimate.n for estimate in cells.values()), *texts])
    page.table([first, "Requests", *report.ordered()], rows, caption=caption)


def _cell(report: Report, model: str, metric: str) -> str:
    return _solid(show(metric, report.estimates[model].get(metric)))


def _solid(text: str) -> str:
    """Keep a cell on one line."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _bare(metrics: list[str]) -> set[str]:
    return {metric.split("@", maxsplit=1)[0] for metric in metrics}


def _p(p: float) -> str:
    return _solid("< .001") if p < 0.001 else f"{p:.3f}"


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
