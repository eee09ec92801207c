"""``poise``: errors are one line, with exit code 2 for a wrong request and 1 for all else."""

from __future__ import annotations

import errno
import os
import signal
import sys

_LONGEST = 1_000  # characters of an error
_NO_PLACE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS)


def main() -> None:
    """Run the command line."""
    try:
        sys.exit(_run())
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not cut the message short
        _fail("interrupted; nothing half-done was kept", 1)
    except BrokenPipeError:  # the reader of our output has gone, as with `poise ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except MemoryError:
        _fail("this machine has too little memory for that; use fewer events, or models such as ItemKNN and ALS", 1)
    except OSError as error:
        if error.errno not in _NO_PLACE:
            raise
        _fail(
            f"{error.filename or 'the output'} cannot be written ({error.strerror}): free space or write elsewhere",
            1,
        )


def _run() -> int:
    """Run the command that the arguments name, and return the exit code."""
    import click  # what is imported in here may be interrupted

    from poise.cli.group import group
    from poise.errors import PoiseError

    for stream in (sys.stdout, sys.stderr):  # a title in Chinese must not stop a terminal that knows ASCII only
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        code = group.main(prog_name="poise", standalone_mode=False)
        sys.stdout.flush()  # here, where a full disk or a closed pipe can still be told
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.UsageError as error:
        where = f"; see '{error.ctx.command_path} --help'" if error.ctx else ""
        _fail(error.format_message().rstrip(".") + where, error.exit_code)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code)
    except PoiseError as error:
        _fail(str(error), error.exit_code)
    except click.Abort:
        raise KeyboardInterrupt from None
    return code if isinstance(code, int) else 0


def _fail(message: str, code: int) -> None:
    colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    head = "\033[31mpoise: error:\033[0m" if colour else "poise: error:"
    line = " ".join(message.split())
    if len(line) > _LONGEST:  # what is wrong stands at the beginning, what to do at the end
        line = f"{line[: _LONGEST // 2]} … {line[-_LONGEST // 2 :]}"
    print(head, line, file=sys.stderr)
    sys.exit(code)
