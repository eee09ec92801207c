from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from poise.cli.common import pairs, say
from poise.errors import UsageError

if TYPE_CHECKING:
    from poise.data.schema.column_names import Table


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".")
@click.option("--events", help="The file, folder or pattern with the events, if the guess is wrong; from FOLDER on.")
@click.option("--items", help="The one with the catalogue.")
@click.option("--users", help="The one with columns of users.")
@click.option("--columns", callback=pairs, help="Columns of the events, as 'user_id=NAME, item_id=NAME'.")
@click.option("--item-columns", callback=pairs, help="Columns of the catalogue, as 'item_id=NAME, title=NAME'.")
@click.option("--dataset", help="A data set that Poise knows by name, in place of files; see 'poise data list'.")
@click.option("--force", is_flag=True, help="Replace the poise.toml that is there.")
def command(
    folder: Path,
    events: str | None,
    items: str | None,
    users: str | None,
    columns: dict[str, str],
    item_columns: dict[str, str],
    dataset: str | None,
    force: bool,
) -> None:
    """Look at the files in FOLDER and write a poise.toml that works.

    It tells by their columns which file holds the events, which the catalogue and which the users, reads them, and
    writes down what it found, for you to correct.
    """
    from poise.config import FILE, parse_config
    from poise.files import atomic_file
    from poise.project import Project
    from poise.project.scaffold import find_sources, scaffold

    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}")
    path = folder / FILE
    if path.exists() and not force:
        raise UsageError(f"{path} is there already: change it by hand, or give --force to replace it")
    if dataset is not None and (events or items or users):
        raise UsageError("give either --dataset or files")
    given: dict[Table, Mapping[str, str]] = {"events": columns, "items": item_columns}
    sources = {} if dataset else find_sources(folder, {"events": events, "items": items, "users": users}, given)
    config = parse_config(tomllib.loads(scaffold(folder, sources, dataset, None)))
    data = Project(folder, config=config, say=say).data()  # a file that does not work is never written
    with atomic_file(path) as temporary:
        temporary.write_text(scaffold(folder, sources, dataset, data), encoding="utf-8")
    click.echo(f"{path}: {data.n_events:,} events of {data.n_users:,} users with {data.n_items:,} items")
    for source in sources.values():
        click.echo(f"  {source.table}: {source.path} ({', '.join(f'{a} = {b}' for a, b in source.columns.items())})")
    where = "" if folder == Path() else f" -p {folder}"
    click.echo(f"next: poise check{where}, then poise fit{where}")
