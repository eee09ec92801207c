"""Pictures of items: from the web by their address, or out of the project's folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from poise.serve.catalogue.catalogue import Catalogue

ADDRESS = "/page/picture"
LARGEST = 10_000_000  # bytes
_KINDS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


def picture_of(catalogue: Catalogue, item: int) -> str | None:
    """Return the address of an item's picture; empty if it has none, None if no item of the catalogue has."""
    column = _column(catalogue)
    if column is None:
        return None
    path = _place(catalogue, item, column)
    if path is None or path.startswith(("http://", "https://")):
        return path or ""
    return f"{ADDRESS}?{urlencode({'item': catalogue.item_ids.id(item)})}"


def read_picture(catalogue: Catalogue, item: int, folder: Path) -> tuple[bytes, str] | None:
    """Return a picture and its media type.

    A catalogue comes from outside, and what it calls a picture may be any file: only what lies in the project's folder
    and begins as a picture does is given away.

    Args:
        catalogue: that the item is in.
        item: its index.
        folder: of the project.

    Returns:
        None where there is none.
    """
    column = _column(catalogue)
    relative = None if column is None else _place(catalogue, item, column)
    if relative is None:
        return None
    try:
        path = (folder / relative).resolve()
        if not path.is_relative_to(folder.resolve()) or not path.is_file() or path.stat().st_size > LARGEST:
            return None
        content = path.read_bytes()
    except (OSError, ValueError):
        return None
    kind = next((kind for start, kind in _KINDS.items() if content.startswith(start)), None)
    if kind is None and content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        kind = "image/webp"
    if kind is None and content[4:12] == b"ftypavif":
        kind = "image/avif"
    return None if kind is None else (content, kind)


def _column(catalogue: Catalogue) -> str | None:
    return next((name for name, kind in catalogue.kinds.items() if kind == "image"), None)


def _place(catalogue: Catalogue, item: int, column: str) -> str | None:
    path = catalogue.contents[item].get(column)
    return path if isinstance(path, str) and path.strip() else None
