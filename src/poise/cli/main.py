"""``poise``: errors are one line, with exit code 2 for a wrong request and 1 for all else."""

from __future__ import annotations

import errno
import os
import sys
from importlib import import_module

import click

from poise._version import __version__
from poise.errors import PoiseError

# The help of each command stands here, so that ``poise --help`` imports none of them.
_COMMANDS = {
    "demo": "From real data to recommendations: no set-up, under two minutes.",
    "init": "Look at your files and write a poise.toml that works.",
    "check": "What is in the data, what is wrong with it, what it is enough for.",
    "fit": "Fit the pipeline, measure it, keep it as a run.",
    "evaluate": "Compare models on your data, honestly.",
    "recommend": "Recommend to a user, or to somebody with a given history.",
    "similar": "Show the items that are most like one.",
    "data": "Data sets that Poise knows by name.",
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
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


def main() -> None:
    """Run the command line."""
    try:
        code = group.main(prog_name="poise", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except PoiseError as error:
        _fail(str(error), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _fail("interrupted; nothing half-done was kept", 1)
    except BrokenPipeError:  # the reader of our output has gone, as with `poise ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except MemoryError:
        _fail("this machine has too little memory for that; use fewer events, or models such as ItemKNN and ALS", 1)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        _fail(f"{error.filename or 'a file'} cannot be written: {error.strerror}", 1)


def _fail(message: str, code: int) -> None:
    click.secho("poise: error: ", fg="red", err=True, nl=False)
    click.echo(" ".join(message.split()), err=True)
    sys.exit(code)
