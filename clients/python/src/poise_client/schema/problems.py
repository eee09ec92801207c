"""What went wrong."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from poise_client.schema.batches import Refusal


class Problem(Struct, frozen=True, omit_defaults=True):
    """An error, by RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[Refusal] | UnsetType = UNSET
