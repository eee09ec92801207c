"""What went wrong."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType


class FieldProblem(Struct, frozen=True):
    """What is wrong with one field of a body, and where it stands, as a JSON pointer (RFC 6901) in a URI."""

    pointer: str
    detail: str


class Problem(Struct, frozen=True, omit_defaults=True):
    """An error, by RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] | UnsetType = UNSET
