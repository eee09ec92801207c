from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from poise.cli.common import at_most, json_option, print_json, print_table, project_option, say
from poise.errors import UsageError

if TYPE_CHECKING:
    from poise.data.dataset import Dataset
    from poise.data.queries import Queries
    from poise.project.run import Run
    from poise.slates import Slates

_HISTORY_SHOWN = 8


@click.command("recommend")
@project_option
@click.option("--user", "-u", "users", multiple=True, help="A user's id; several times for several users.")
@click.option(
    "--history",
    "-H",
    "histories",
    multiple=True,
    help="Ids or titles, oldest first, of somebody not in the data: with commas or semicolons between them, a title "
    "that holds some in quotes, or one option each.",
)
@click.option("-k", default=10, show_default=True, help="How many items.")
@click.option("--run", "run_name", help="The run; default: the latest.")
@click.option("--explain/--no-explain", default=True, help="Whether to say why.")
@json_option
def command(
    folder: Path,
    users: tuple[str, ...],
    histories: tuple[str, ...],
    k: int,
    run_name: str | None,
    explain: bool,
    as_json: bool,
) -> None:
    """Recommend to a user of the data, or to somebody with a given history.

    \b
    poise recommend --user 42
    poise recommend --history "Toy Story, The Matrix"
    poise recommend -H "Toy Story" -H "The Good, the Bad and the Ugly"
    """  # noqa: D301
    from poise.project import Project

    if bool(users) == bool(histories):
        raise UsageError("name a user or a history: either --user ID or --history 'title, title'")
    project = Project(folder, say=say)
    run = project.run(run_name)
    hide_seen = project.config.policy.hide_seen
    if histories:
        history = [item for line in histories for item in run.find(line)]
        requests = [_UserRequest(None, run.queries([history], hide_seen=hide_seen), {})]
    else:
        data = project.data()
        rules = project.live_feedback(data)  # as the server reads them: a low rating is no liking
        requests = _of_users(run, data if rules == data.feedback else data.judged(rules), users, hide_seen=hide_seen)
    pipeline = run.pipeline.with_policy(project.config.make_policy())  # as it is served
    k = at_most(k, len(pipeline.item_ids))
    answers = [(request, pipeline.recommend(request.queries, k, explain=explain)) for request in requests]
    if as_json:
        print_json([_as_json(run, request, slates) for request, slates in answers])
        return
    for request, slates in answers:
        _show(run, request, slates)


def show(run: Run, data: Dataset, users: Sequence[str], *, k: int) -> None:
    """Print the history of users, and what a run recommends to them, with reasons."""
    for request in _of_users(run, data, users, hide_seen=True):
        _show(run, request, run.pipeline.recommend(request.queries, min(k, len(run.pipeline.item_ids)), explain=True))


@dataclass(frozen=True)
class _UserRequest:
    """A request to show: the id of the user, if known, the query in item indices of the run, and verbs by item."""

    user: str | None
    queries: Queries
    verbs: dict[int, str]


def _of_users(run: Run, data: Dataset, users: Sequence[str], *, hide_seen: bool) -> list[_UserRequest]:
    import numpy as np

    from poise.wording import verbs

    queries = data.queries(users, hide_seen=hide_seen)
    item_of_run = np.concatenate([[0], run.pipeline.item_ids.index(data.item_ids.series)])
    requests = []
    for row, user in enumerate(users):
        verb_of = {int(item_of_run[item]): verb for item, verb in verbs(data, queries, row).items()}
        requests.append(_UserRequest(user, queries.take([row]).reindex(run.pipeline.item_ids), verb_of))
    return requests


def _show(run: Run, request: _UserRequest, slates: Slates) -> None:
    titles, slate = run.titles, slates[0]
    history = request.queries.history(0)
    newest = [
        f"{titles[item]} ({request.verbs[item]})" if item in request.verbs else titles[item]
        for item in list(dict.fromkeys(history[::-1].tolist()))[:_HISTORY_SHOWN]
    ]
    addressee = "this history" if request.user is None else f"user {request.user}"
    count = "1 event" if len(history) == 1 else f"{len(history):,} events"
    click.echo(f"\nFor {addressee}, {count}, the newest first:")
    click.echo("  " + ("; ".join(newest) or "nothing yet"))
    if rejected := _rejected(request):
        more = f" and {len(rejected) - _HISTORY_SHOWN:,} more" if len(rejected) > _HISTORY_SHOWN else ""
        click.echo(f"  said no to: {'; '.join(titles[item] for item in rejected[:_HISTORY_SHOWN])}{more}")
    rows = []
    for rank, (item, item_id, score) in enumerate(
        zip(slates.items[0].tolist(), slate.items, slate.scores, strict=False), 1
    ):
        why = "; ".join(reason.text(titles, request.verbs) for reason in slate.reasons[rank - 1])
        rows.append((str(rank), f"{titles[item]}\n{why}" if why else titles[item], item_id, f"{score:.3f}"))
    print_table(("", "item", "id", "score"), rows)
    if len(slate) < slates.items.shape[1]:
        brought = run.pipeline.candidates if run.pipeline.retrievers else None
        why = "" if brought is None else f": the retrievers bring {brought} each, see pipeline.candidates"
        click.echo(f"only {len(slate)} items are left to recommend{why}")


def _rejected(request: _UserRequest) -> list[int]:
    """Return the items that the person said no to."""
    rejected = request.queries.rejected
    return [] if rejected is None else rejected[0].tolist()


def _as_json(run: Run, request: _UserRequest, slates: Slates) -> dict[str, Any]:
    titles, slate, item_ids = run.titles, slates[0], run.pipeline.item_ids
    return {
        "user": request.user,
        "run": run.name,
        "history": [{"item_id": item_ids.id(item), "title": titles[item]} for item in request.queries.history(0)],
        "rejected": [{"item_id": item_ids.id(item), "title": titles[item]} for item in _rejected(request)],
        "items": [
            {
                "item_id": item_id,
                "title": titles[item],
                "score": score,
                "probability": probability,
                "reasons": [
                    {"kind": reason.kind, "share": round(reason.share, 4), "text": reason.text(titles, request.verbs)}
                    for reason in reasons
                ],
            }
            for item, item_id, score, probability, reasons in zip(
                slates.items[0].tolist(), slate.items, slate.scores, slate.probabilities, slate.reasons, strict=False
            )
        ],
    }
