"""Writing answers."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

_ENCODER = msgspec.json.Encoder()


def as_json(value: Any, status: int = 200) -> Response:
    """Return a value as an answer in JSON."""
    return Response(_ENCODER.encode(value), status, media_type="application/json")
