"""What the fields of requests may hold, and how much of it."""

from __future__ import annotations

import atexit
import gc
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

# When the interpreter ends, msgspec (0.22) may free the types below in a wrong order and crash; what is frozen is left.
atexit.register(gc.freeze)

MOST_AT_ONCE = 10_000  # events, items or users in one body
MOST_SHOWN = 200  # items in one answer
EARLIEST, LATEST = 100_000_000_000, 4_102_444_800_000  # 1973 and 2100, in milliseconds

PLAIN = r"^[^\x00-\x1f\x7f]*(?![\s\S])"  # to the very end, in Python too, where $ would let a line end pass
_DATE_TIME = {"format": "date-time"}
Id = Annotated[str, Meta(min_length=1, max_length=256, pattern=PLAIN, description="Any text without control signs.")]
Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=PLAIN)]
Count = Annotated[int, Meta(ge=1, le=MOST_SHOWN)]
Number = Annotated[float, Meta(ge=-1e12, le=1e12)]
Text = Annotated[str, Meta(max_length=20_000, pattern=r"^[^\x00]*(?![\s\S])")]
Moment = (
    Annotated[int, Meta(ge=EARLIEST, le=LATEST, description="Milliseconds since 1970, UTC.")]
    | Annotated[datetime, Meta(description="RFC 3339; UTC where no zone is given.", extra_json_schema=_DATE_TIME)]
)
Value = Text | Number | bool | Annotated[Sequence[Text], Meta(max_length=1_000)] | None
Context = Annotated[Mapping[Name, Text | Number | bool | None], Meta(max_length=50)]
Content = Annotated[Mapping[Name, Value], Meta(max_length=200)]


class Body(Struct, frozen=True, forbid_unknown_fields=True):
    """A body that may hold what it names and nothing else."""
