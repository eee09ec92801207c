from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from poise.cli.common import json_option, pairs, print_json, print_table, say, time_format_option
from poise.errors import UsageError

if TYPE_CHECKING:
    from poise.data.schema.column_names import Table
    from poise.project.scaffold import Sources

_WHAT = {
    "user_id": "says who it was",
    "item_id": "says which item it is",
    "timestamp": "says when it was",
    "behaviour": "says what was done",
    "value": "says how much or how good",
    "title": "is the name of the item",
}


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".")
@click.option("--events", help="The file, folder or pattern with the events, if the guess is wrong; from FOLDER on.")
@click.option("--items", help="The one with the catalogue.")
@click.option("--users", help="The one with columns of users.")
@click.option("--columns", callback=pairs, help="Columns of the events, as 'user_id=NAME, item_id=NAME'.")
@click.option("--item-columns", callback=pairs, help="Columns of the catalogue, as 'item_id=NAME, title=NAME'.")
@click.option("--user-columns", callback=pairs, help="Columns of the users, as 'user_id=NAME'.")
@time_format_option
@click.option("--dataset", help="A data set that Poise knows by name, in place of files; see 'poise data list'.")
@click.option("--yes", "-y", is_flag=True, help="Take the guesses, and ask nothing.")
@click.option("--force", is_flag=True, help="Replace the poise.toml that is there.")
@json_option
def command(
    folder: Path,
    events: str | None,
    items: str | None,
    users: str | None,
    columns: dict[str, str],
    item_columns: dict[str, str],
    user_columns: dict[str, str],
    time_format: str | None,
    dataset: str | None,
    yes: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Look at the files in FOLDER and write a poise.toml that works.

    It tells by their columns which file holds the events, which the catalogue and which the users, reads them, and
    writes down what it found, for you to correct. At a terminal it asks where it is not sure.
    """
    from poise.config import FILE, parse_config
    from poise.files import atomic_file
    from poise.project import Project
    from poise.project.scaffold import Sources, find_sources, sample_rows, scaffold

    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}")
    path = folder / FILE
    if path.exists() and not force:
        raise UsageError(f"{path} is there already: change it by hand, or give --force to replace it")
    if dataset is not None and (events or items or users):
        raise UsageError("give either --dataset or files")
    given: dict[Table, Mapping[str, str]] = {"events": columns, "items": item_columns, "users": user_columns}
    asks = not yes and not as_json and sys.stdin.isatty() and sys.stdout.isatty()
    named: dict[Table, str | None] = {"events": events, "items": items, "users": users}
    sources = Sources({}) if dataset else find_sources(folder, named, given, _ask if asks else None)
    config = parse_config(tomllib.loads(scaffold(folder, sources.tables, dataset, None, time_format)))
    data = Project(folder, config=config, say=say).data()  # a file that does not work is never written
    with atomic_file(path) as temporary:
        temporary.write_text(scaffold(folder, sources.tables, dataset, data, time_format), encoding="utf-8")
    rows = sample_rows(data)
    if as_json:
        print_json(
            {
                "path": str(path),
                **{"events": data.n_events, "users": data.n_users, "items": data.n_items},
                **_described(sources),
                "rows": rows,
            }
        )
        return
    click.echo(f"{path}: {data.n_events:,} events of {data.n_users:,} users with {data.n_items:,} items")
    _show(sources)
    if rows:
        click.echo("as understood:")
        print_table(list(rows[0]), [[str(cell) for cell in row.values()] for row in rows])
    where = "" if folder == Path() else f" -p {folder}"
    click.echo(f"next: poise check{where}, then poise fit{where}")


def _ask(what: str, guess: str, columns: Sequence[str]) -> str:
    path, _, role = what.rpartition(": ")
    click.echo(f"{path} has the columns {', '.join(columns)}")
    while True:
        answer: str = click.prompt(f"which one {_WHAT[role]} ({role})? '-' for none", default=guess or "-").strip()
        if answer == "-":
            return ""
        if answer in columns:
            return answer
        click.echo(f"there is no column {answer!r}")


def _show(sources: Sources) -> None:
    """Print what was taken, what was left and what is not sure."""
    for source in sources.tables.values():
        taken = ", ".join(f"{role} = {name}" if name else f"no {role}" for role, name in source.columns.items())
        header = "; no header: the columns were named by what they hold" if source.names is not None else ""
        click.echo(f"  {source.table}: {source.path} ({taken}{header})")
        for whom, described in (("item", source.of_items), ("user", source.of_users)):
            if described:
                click.echo(f"    of the {whom}: {', '.join(described)}")
        for role, rivals in source.unsure.items():
            others = f"; {' or '.join(rivals)} may be meant" if rivals else ""
            option = {"events": "--columns", "items": "--item-columns", "users": "--user-columns"}[source.table]
            click.echo(
                f"    not sure: {source.columns.get(role) or 'no column'} is taken for {role}{others} "
                f"({option} '{role}=NAME')"
            )
        if source.unused:
            left = (f"{name} ({looks})" if looks else name for name, looks in source.unused.items())
            click.echo(f"    not used: {', '.join(left)}")
    for path, reason in sources.left.items():
        click.echo(f"  not used: {path} ({reason})")


def _described(sources: Sources) -> dict[str, Any]:
    """Return what was taken and left, as JSON."""
    return {
        "tables": {
            table: {
                "path": source.path,
                "columns": dict(source.columns),
                "header": source.names is None,
                "of_items": list(source.of_items),
                "of_users": list(source.of_users),
                "not_sure": {role: list(rivals) for role, rivals in source.unsure.items()},
                "not_used": dict(source.unused),
            }
            for table, source in sources.tables.items()
        },
        "files_not_used": dict(sources.left),
    }
