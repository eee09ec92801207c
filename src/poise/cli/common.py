"""What commands share: options, what goes to which stream, tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def project_option(function: Command) -> Command:
    """Add ``--project``."""
    return click.option(
        "--project",
        "-p",
        "folder",
        type=click.Path(path_type=Path),
        default=".",
        show_default="this folder",
        help="The folder with the poise.toml.",
    )(function)


def json_option(function: Command) -> Command:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def say(line: str) -> None:
    """Tell what is going on, on standard error, so that results can be piped."""
    click.secho(line, err=True, dim=True)


def print_json(value: Any) -> None:
    """Print a result as JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "") -> None:
    """Print an aligned table; columns whose cells are all numbers are set to the right."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, title=Text(title) if title else None, title_justify="left", pad_edge=False)
    for at, column in enumerate(columns):
        numeric = all(_numeric(row[at]) for row in rows)
        table.add_column(Text(column), justify="right" if numeric else "left", no_wrap=numeric, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(soft_wrap=False, highlight=False).print(table)


def _numeric(cell: str) -> bool:
    return (bool(cell) and cell.split(" ", maxsplit=1)[0].replace(".", "").replace(",", "").replace("-", "").isdigit()) or cell == "–"
