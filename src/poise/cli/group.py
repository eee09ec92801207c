"""The commands, each imported when it is called."""

from __future__ import annotations

from importlib import import_module

import click

from poise._version import __version__
from poise.errors import UsageError, suggest

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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="poise")
def group() -> None:
    """From a log of what people did and a catalogue to live, personal recommendations.

    Start with `poise demo`; with your own files, run `poise init` in their folder.
    """
