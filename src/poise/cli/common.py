"""Options, output and tables of all commands."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rich.text import Text

_WIDTH = 120  # where the output is no terminal
_WIDEST_TEXT = 100  # characters of a line that is read with ease
_GAP = 3  # between columns
_LEAST_TEXT = 20  # characters of a column of text in a narrow terminal
_SIGNS = str.maketrans("", "", ".,-")

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


def time_format_option(function: Command) -> Command:
    """Add ``--time-format``."""
    return click.option(
        "--time-format",
        help="How the events' times are written, such as '%d.%m.%Y %H:%M', where the column does not tell.",
    )(function)


def report_option(default: str) -> Callable[[Command], Command]:
    """Return a decorator that adds ``--report``; ``default`` is the file in the project that is written without it."""
    return click.option(
        "--report",
        "report_path",
        type=click.Path(path_type=Path, dir_okay=False),
        help=f"Where to write the HTML report; default: {default} in the project.",
    )


def pairs(ctx: click.Context, option: click.Parameter, text: str | None) -> dict[str, str]:
    """Read an option of the form ``user_id=NAME, item_id=NAME``; a callback for click."""
    parts = [part.partition("=") for part in (text or "").split(",") if part.strip()]
    if not all(sign and canonical.strip() for canonical, sign, _ in parts):
        raise click.BadParameter(f"{text!r} is not of the form 'user_id=NAME, item_id=NAME'")
    return {canonical.strip(): name.strip() for canonical, _, name in parts}


def at_most(k: int, n_items: int) -> int:
    """Return ``k``, or the number of items that can be shown if that is less, with a word."""
    if k > n_items >= 1:
        say(f"there are only {n_items:,} items to show, not {k:,}")
        return n_items
    return k


def say(line: str) -> None:
    """Print progress on standard error, so that results can be piped."""
    click.secho(line, err=True, dim=True)


def print_remark(mark: str, colour: str | None, title: str, text: str = "") -> None:
    """Print a remark: on a line of its own, or, in a terminal, with the text below its title, broken between words.

    Args:
        mark: a word that says of what kind it is.
        colour: of the mark.
        title: the remark in short.
        text: the rest of it.
    """
    indent = f"{mark:<5}"
    click.secho(indent, fg=colour, nl=False, bold=True)
    if not sys.stdout.isatty():
        click.echo(" ".join([f"{title}." if text else title, text]).strip())
        return
    width = min(shutil.get_terminal_size().columns, _WIDEST_TEXT)
    blanks = " " * len(indent)
    for lines, bold in ((title, bool(text)), (text, False)):
        for number, line in enumerate(textwrap.wrap(lines, max(width - len(indent), _LEAST_TEXT))):
            click.secho(line if not number and lines is title else blanks + line, bold=bold or None)


def print_json(value: Any) -> None:
    """Print a result as JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print an aligned table; columns of numbers are right-aligned, further lines of a cell are dim."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    least = 0  # width in which no column gives up its last character for another
    for index, column in enumerate(columns):
        numeric = all(_numeric(row[index]) for row in rows)
        widest = max(len(line) for cell in (column, *(row[index] for row in rows)) for line in cell.split("\n"))
        least += _GAP + (widest if numeric else min(widest, _LEAST_TEXT))
        table.add_column(Text(column), justify="right" if numeric else "left", no_wrap=numeric, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(text) for text in row))
    console = Console(highlight=False, width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else _WIDTH)
    console.width = max(console.width, least)
    with console.capture() as printed:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in printed.get().splitlines()).strip("\n"))


def _cell(text: str) -> Text:
    from rich.text import Text

    first, *more = text.split("\n")
    return Text.assemble(first, *((f"\n{line}", "dim") for line in more))


def _numeric(cell: str) -> bool:
    return cell == "–" or cell.split(" ", maxsplit=1)[0].translate(_SIGNS).isdigit()
