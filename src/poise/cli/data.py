from __future__ import annotations

import json
from dataclasses import asdict, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from poise.cli.common import json_option, pairs, print_json, print_table, project_option, say, time_format_option
from poise.errors import PoiseError, UsageError

if TYPE_CHECKING:
    from poise.data.dataset import Dataset
    from poise.data.schema.column_names import Table
    from poise.project import Project

_WORDS = {
    "accepted": "accepted",
    "duplicates": "there already",
    "refused": "refused",
    "erased": "skipped: of erased users",
}


@click.group("data")
def command() -> None:
    """Data sets that Poise knows by name, files into the live log, and what was shown."""


@command.command("list")
@json_option
def list_entries(as_json: bool) -> None:
    """List the data sets with their size and licence."""
    from poise.datasets import registry

    entries = registry.entries()
    if as_json:
        print_json(
            [
                {"name": entry.name, "size": entry.size, "what": entry.what, "licence": entry.licence}
                for entry in entries
            ]
        )
        return
    print_table(("name", "what"), [(entry.name, f"{entry.what}\n{entry.size}") for entry in entries])
    for licence in dict.fromkeys(entry.licence for entry in entries):
        click.echo(f"Licence: {licence}")


@command.command("fetch")
@click.argument("name")
@json_option
def fetch(name: str, as_json: bool) -> None:
    """Fetch a data set into the user's cache, check it, and describe it."""
    from poise.datasets import registry

    data = registry.load(name)
    fetched = {"name": data.name, "events": data.n_events, "users": data.n_users, "items": data.n_items}
    if as_json:
        print_json({**fetched, "item_columns": data.items.columns, "user_columns": data.users.columns})
        return
    click.echo(f"{data.name}: {data.n_events:,} events, {data.n_users:,} users, {data.n_items:,} items")
    click.echo(f"columns of items: {', '.join(data.items.columns)}")
    click.echo(f"columns of users: {', '.join(data.users.columns)}")
    click.echo(f'use it in poise.toml:  [data]  dataset = "{name}"')


@command.command("import")
@click.option("--events", type=click.Path(path_type=Path), help="A file, folder or pattern with events.")
@click.option("--items", type=click.Path(path_type=Path), help="One with items of the catalogue.")
@click.option("--users", type=click.Path(path_type=Path), help="One with columns of users.")
@click.option("--columns", callback=pairs, help="Columns of the events, as 'user_id=NAME, item_id=NAME'.")
@click.option("--item-columns", callback=pairs, help="Columns of the items, as 'item_id=NAME, title=NAME'.")
@click.option("--user-columns", callback=pairs, help="Columns of the users, as 'user_id=NAME'.")
@time_format_option
@project_option
@click.option("--store", help="The live log, if not the one that poise.toml names.")
@json_option
def import_(
    events: Path | None,
    items: Path | None,
    users: Path | None,
    columns: dict[str, str],
    item_columns: dict[str, str],
    user_columns: dict[str, str],
    time_format: str | None,
    folder: Path,
    store: str | None,
    as_json: bool,
) -> None:
    """Import files into the live log; also exports of Gorse and of Amazon Personalize, as they are.

    Events that are there already are not added again: a file can be imported twice, and an interrupted import can be
    run again. Items and users replace those with the same id. A running server takes the rows in at once.
    """
    from poise.project import Project
    from poise.project.importing import import_files

    given: dict[Table, Path | None] = {"events": events, "items": items, "users": users}
    sources = {table: path for table, path in given.items() if path is not None}
    if not sources:
        raise UsageError("say what to import: --events FILE, --items FILE, --users FILE")
    project = Project(folder, say=say)
    _require_other_events(project, events)
    with project.fill_store(store) as opened:
        try:
            done = import_files(
                opened,
                sources,
                columns={"events": columns, "items": item_columns, "users": user_columns},
                item_kinds=project.config.data.item_kinds,
                item_separators=project.config.data.item_separators,
                encoding=project.config.data.encoding,
                cleaning=project.config.cleaning(),
                time_format=time_format or project.config.data.time_format,
            )
        except KeyboardInterrupt:
            raise PoiseError("interrupted: a part is in the live log; run it again, nothing is added twice") from None
        counts: dict[str, dict[str, int]] = {table: asdict(table_counts) for table, table_counts in done.counts.items()}
        opened.add_audit("command line", "import", counts).result()
    for note in done.quarantine.notes:
        say(note)
    quarantine = project.folder / "quarantine-import.parquet"
    if done.quarantine:
        done.quarantine.save(quarantine)
        say(f"refused {len(done.quarantine):,} rows, kept with the reasons in {quarantine}:")
        for refusal in done.quarantine.summary():
            say(f"  {refusal.rows:,} × {refusal.reason}")
    if as_json:
        print_json({**counts, "quarantine": str(quarantine) if done.quarantine else None})
        return
    for table, table_counts in counts.items():
        parts = (f"{table_counts[name]:,} {words}" for name, words in _WORDS.items() if table_counts[name])
        click.echo(", ".join([f"{table}: {table_counts['read']:,} read", *parts]))


@command.command("impressions")
@project_option
@click.option("--store", help="The live log, if not the one that poise.toml names.")
@click.option("--user", "-u", help="Only what this user was shown.")
@click.option("--limit", default=5, show_default=True, type=click.IntRange(1), help="How many of the newest answers.")
@json_option
def impressions(folder: Path, store: str | None, user: str | None, limit: int, as_json: bool) -> None:
    """Show the newest answers of the server: which items, why these, and what people did with them."""
    from poise.project import Project

    project = Project(folder, say=say)
    with project.open_store(store) as opened:
        data = project.live_data(opened)
    rows = [] if data is None else _newest(data, user, limit)
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo("nothing was shown yet: 'poise serve' writes it down as it answers")
        return
    for (moment, request_id), answer in groupby(rows, key=lambda row: (row["time"], row["request_id"])):
        items = list(answer)
        where = f", on {items[0]['surface']}" if items[0]["surface"] else ""
        click.echo(f"\n{moment} to {items[0]['user_id'] or 'an unknown user'}{where}, request {request_id}")
        print_table(("", "item", "source", "score", "probability", "then"), [_cells(row) for row in items])


def _newest(data: Dataset, user: str | None, limit: int) -> list[dict[str, Any]]:
    """Return the items of the newest answers, as JSON; the newest answer first."""
    from poise.data.impressions_frame import impressions_frame

    log = data.impressions
    if log is None:
        return []
    if user is not None:
        (index,) = data.queries(users=[user]).user
        log = log.select((log.user == index)[log.request])
    log = log.select(log.request >= log.n_requests - limit)
    frame = impressions_frame(replace(data, impressions=log))
    titles = [data.titles[item] for item in log.item.tolist()]
    rows = [{"title": title, **_as_json(row)} for title, row in zip(titles, frame.iter_rows(named=True), strict=True)]
    newest_first = (log.n_requests - log.request).argsort(kind="stable")
    return [rows[row] for row in newest_first.tolist()]


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    for name in ("filters", "features"):
        row[name] = None if row[name] is None else json.loads(row[name])
    row["time"] = row["time"].isoformat()
    row["event_time"] = None if row["event_time"] is None else [moment.isoformat() for moment in row["event_time"]]
    return row


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        str(row["position"] + 1),
        f"{row['title']}\n{row['item_id']}",
        row["source"],
        f"{row['score']:.3f}",
        f"{row['probability']:.3f}",
        ", ".join(row["behaviour"] or ["–"]),
    )


def _require_other_events(project: Project, events: Path | None) -> None:
    """Refuse the project's own events, which the live log has already."""
    own_events = project.config.data.events
    if events is not None and own_events is not None and (project.folder / own_events).resolve() == events.resolve():
        raise UsageError(f"{events} is what poise.toml names as this project's events: the live log has them by itself")
