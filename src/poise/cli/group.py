"""The commands, each imported when it is called."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

import click

from poise._version import __version__
from poise.errors import PoiseError, UsageError, suggest

# The help of each command stands here, so that ``poise --help`` imports none of them.
_COMMANDS = {
    "demo": "From real data to recommendations: no set-up, in a minute or two.",
    "init": "Look at your files and write a poise.toml that works.",
    "check": "What is in the data, what is wrong with it, what it is enough for.",
    "fit": "Fit the pipeline, measure it, keep it as a run.",
    "evaluate": "Compare models on your data, honestly.",
    "tune": "Search for better options of a model.",
    "recommend": "Recommend to a user, or to somebody with a given history.",
    "similar": "Show the items that are most like one.",
    "serve": "Serve recommendations over HTTP, live.",
    "keys": "API keys of the server: make, list, revoke.",
    "runs": "List, compare, promote and roll back runs.",
    "learn": "Learn from what has happened since, and serve it if it is no worse.",
    "data": "Data sets that Poise knows by name; files into the live log; what was shown.",
}

# What Python takes as an argument is an option or a key of poise.toml on the command line.
_MAPPING = re.compile(r"\b(columns|item_columns|user_columns)=\{'(\w+)': '([^']*)'\}(?: and (item_columns|columns))?")
_NAMES = re.compile(r"\bnames=\[([^\]]*)\]")
_TIME_FORMAT = re.compile(r"\btime_format ?= ?(['\"])(.+?)\1(?! under)")
_VALUE = re.compile(r"\b(value_kind|item_columns_in_events|user_columns_in_events)=(\S+?)(?=[;,.]?(?:\s|$))")
_WITH_OPTIONS = ("init", "data")  # their columns are options; all other commands read them in poise.toml


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        if cmd_name not in _COMMANDS:
            names = list(_COMMANDS)
            raise UsageError(
                f"there is no command {cmd_name!r}.{suggest(cmd_name, names)} Commands are {', '.join(names)}"
            )
        command: click.Command = import_module(f"poise.cli.{cmd_name}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except PoiseError as error:
            error.args = (in_words_of(ctx.invoked_subcommand, str(error)),)
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="poise")
def group() -> None:
    """From a log of what people did and a catalogue to live, personal recommendations.

    Start with `poise demo`; with your own files, run `poise init` in their folder.
    """


def in_words_of(command: str | None, message: str) -> str:
    """Return a message with the advice that it gives for Python in the words of a command.

    Args:
        command: the name of the command, such as ``init``; None if there is none.
        message: of an error, such as ``choose another column with columns={'timestamp': 'NAME'}``.
    """
    options = command in _WITH_OPTIONS

    def mapping(found: re.Match[str]) -> str:
        table, role, name, other = found.groups()
        if options:
            more = f" and --{other.replace('_', '-')}" if other else ""
            return f"--{table.replace('_', '-')} '{role}={name}'{more}"
        return f'{role} = "{name}" under [data.{table}] in poise.toml' + (f" and [data.{other}]" if other else "")

    message = _MAPPING.sub(mapping, message)
    message = _NAMES.sub(lambda found: f"events = [{found[1]}] under [data.names] in poise.toml", message)
    if options:
        message = _TIME_FORMAT.sub(lambda found: f"--time-format '{found[2]}'", message)
    return _VALUE.sub(lambda found: f"{found[1]} = {found[2]} under [data] in poise.toml", message)
