"""Every error that a user can cause: one line, saying what is wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Sequence


class PoiseError(Exception):
    """Something is wrong that the user can fix. The command line prints it without a traceback and exits with 1."""

    exit_code = 1


class UsageError(PoiseError):
    """The request itself is wrong: an option, an argument, a configuration key. Exit code 2."""

    exit_code = 2


class OptionError(UsageError, ValueError):
    """An option of a model, a step or an encoder is wrong: in Python that is a ``ValueError`` too."""


class DataError(PoiseError):
    """The data is not as declared: a file, a column, a format."""


class UnknownIdError(PoiseError):
    """A user or an item that is not in the data."""


class NotFittedError(PoiseError):
    """A model was asked for recommendations before it was fitted."""


def one_line(error: Exception) -> str:
    """Return what went wrong in a library as one line, for the message of one of the errors above."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def listed(names: Sequence[object], most: int = 8, longest: int = 40) -> str:
    """Return names for a message: the first few, each of a readable length, and how many more there are."""
    few = [name if len(name) <= longest else f"{name[: longest - 1]}…" for name in map(str, names[:most])]
    return ", ".join(few) + (f" and {len(names) - most:,} more" if len(names) > most else "")


def suggest(name: str, allowed: list[str] | tuple[str, ...]) -> str:
    """Return `` Did you mean 'x'?`` for the closest of ``allowed``, or an empty string where none is close."""
    from difflib import get_close_matches

    lower = {option.lower(): option for option in allowed}
    close = get_close_matches(name.lower(), lower, n=1, cutoff=0.6)
    return f" Did you mean {lower[close[0]]!r}?" if close else ""
