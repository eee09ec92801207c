"""Pictures of items: from the web by their address, or out of the project's folder.

They are backgrounds, by rules in a stylesheet: one that does not load leaves an empty box and no broken icon, without a
script that would have to look.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from poise.serve.catalogue.catalogue import Catalogue

ADDRESS = "/page/picture"
STYLE = "/page/pictures.css"
AT_ONCE = 24  # pictures of a stylesheet, so that its address does not become too long
LARGEST = 10_000_000  # bytes
_WEB = ("http://", "https://")
_NAMES = re.compile(
    r"(^|[_\W])(images?|img|pictures?|photos?|posters?|covers?|thumb(nail)?s?|bild|foto)([_\W]|$)|图片|封面", re.I
)
_SAMPLE = 100  # items that are looked at for addresses
_KINDS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


def picture_of(catalogue: Catalogue, item: int) -> str | None:
    """Return the address of an item's picture; empty if it has none, None if no item of the catalogue has."""
    column = _column(catalogue)
    if column is None:
        return None
    path = _place(catalogue, item, column)
    if path is None or path.startswith(_WEB):
        return path or ""
    return f"{ADDRESS}?{urlencode({'item': catalogue.item_ids.id(item)})}"


def name_of(item_id: str) -> str:
    """Return the class of the box for an item's picture: a name in any stylesheet, whatever the id is made of."""
    return f"p{hashlib.sha256(item_id.encode()).hexdigest()[:16]}"


def styles_of(item_ids: Iterable[str]) -> list[str]:
    """Return the addresses of the stylesheets with the pictures of these items."""
    named = list(dict.fromkeys(item_ids))
    parts = [named[start : start + AT_ONCE] for start in range(0, len(named), AT_ONCE)]
    return [f"{STYLE}?{urlencode([('item', item_id) for item_id in part])}" for part in parts]


def stylesheet_of(catalogue: Catalogue, items: Sequence[int], folder: Path) -> str:
    """Return a stylesheet with the pictures of items, as far as they have any.

    Args:
        catalogue: that the items are in.
        items: their indices.
        folder: of the project.
    """
    rules = []
    for item in items:
        address = picture_of(catalogue, item)
        if not address or (address.startswith(ADDRESS) and not _has_file(catalogue, item, folder)):
            continue
        plain = quote(address, safe="/:?&=%#@!$+,;~*[]")  # no quotes, brackets or backslashes: it cannot leave its rule
        rules.append(f'.{name_of(catalogue.item_ids.id(item))} {{ background-image: url("{plain}"); }}\n')
    return "".join(rules)


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
    path = _file(catalogue, item, folder)
    try:
        content = b"" if path is None else path.read_bytes()
    except OSError:
        return None
    kind = _kind(content)
    return None if kind is None else (content, kind)


def _has_file(catalogue: Catalogue, item: int, folder: Path) -> bool:
    """Tell whether :func:`read_picture` would find something, by its first bytes."""
    path = _file(catalogue, item, folder)
    try:
        with (path or folder).open("rb") as file:
            return _kind(file.read(16)) is not None
    except OSError:
        return False


def _file(catalogue: Catalogue, item: int, folder: Path) -> Path | None:
    column = _column(catalogue)
    relative = None if column is None else _place(catalogue, item, column)
    if relative is None:
        return None
    try:
        path = (folder / relative).resolve()
        is_fit = path.is_relative_to(folder.resolve()) and path.is_file() and path.stat().st_size <= LARGEST
    except (OSError, ValueError):
        return None
    return path if is_fit else None


def _kind(content: bytes) -> str | None:
    """Return the media type of a picture, by how it begins; None if it is none."""
    kind = next((kind for start, kind in _KINDS.items() if content.startswith(start)), None)
    if kind is None and content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return "image/avif" if kind is None and content[4:12] == b"ftypavif" else kind


def _column(catalogue: Catalogue) -> str | None:
    """Return the column of pictures: one that holds paths of pictures, else addresses under a name of pictures."""
    kinds = catalogue.kinds
    named = next((name for name, kind in kinds.items() if kind == "image"), None)
    if named is not None:
        return named
    for name in filter(_NAMES.search, kinds):
        values = (content.get(name) for content in catalogue.contents[: _SAMPLE + 1])
        given = (value[0] if isinstance(value, list) and value else value for value in values)
        if any(isinstance(place, str) and place.startswith(_WEB) for place in given):
            return name
    return None


def _place(catalogue: Catalogue, item: int, column: str) -> str | None:
    place = catalogue.contents[item].get(column)
    if isinstance(place, list):  # several pictures: the first is the main one
        place = next(iter(place), None)
    return place.strip() if isinstance(place, str) and place.strip() else None
