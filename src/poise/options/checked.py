"""Options that pydantic checks: what is wrong with one is said in one line."""

from __future__ import annotations

import dataclasses
from abc import ABCMeta
from typing import TYPE_CHECKING, Any

from poise.errors import OptionError, suggest

if TYPE_CHECKING:
    from pydantic import ValidationError

_LONGEST = 80  # characters of a value in a message


class Checked(ABCMeta):
    """The metaclass of dataclasses whose options are checked: in Python, a wrong one is an ``OptionError``."""

    def __call__(cls, *args: Any, **options: Any) -> Any:
        """Make an instance.

        Raises:
            OptionError: there is no such option, one is missing, or a value is not allowed.
        """
        try:
            return super().__call__(*args, **options)
        except ValueError as error:
            from pydantic import ValidationError

            if not isinstance(error, ValidationError):
                raise
            raise OptionError(f"{cls.__name__}: {explain(error, cls)}") from None


def explain(error: ValidationError, kind: type[Any]) -> str:
    """Say the first thing that is wrong with the options of a dataclass, in one line."""
    problems = error.errors()
    unknown = ("unexpected_keyword_argument", "unexpected_positional_argument")
    first = min(problems, key=lambda problem: problem["type"] not in unknown)  # a misspelt option is missing as well
    names = [option.name for option in dataclasses.fields(kind) if option.init]
    option = ".".join(str(step) for step in first["loc"])
    if first["type"] == "unexpected_positional_argument":
        return f"options are given by name; there are {', '.join(names) or 'none'}"
    if first["type"] == "unexpected_keyword_argument":
        return f"there is no option {option!r}.{suggest(option, names)} Allowed: {', '.join(names) or 'none'}"
    if first["type"] in ("missing", "missing_argument", "missing_keyword_only_argument"):
        return f"{option} is missing"
    found = " ".join(repr(first["input"]).split())
    found = found if len(found) <= _LONGEST else f"{found[: _LONGEST - 1]}…"
    return f"{option}: found {found}; allowed: {_allowed(first['msg'])}"


def _allowed(message: str) -> str:
    return " ".join(message.replace("Input should be ", "").removeprefix("Value error, ").split())
