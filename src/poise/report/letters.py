from __future__ import annotations

from unicodedata import east_asian_width


def width(text: str) -> float:
    """Return how wide a text is, in small letters of the Latin script: signs of Chinese are twice as wide."""
    return sum(2 if is_wide(sign) else 1.35 if sign.isupper() else 1 for sign in text)


def is_wide(sign: str) -> bool:
    """Tell whether a sign is as wide as two letters."""
    return east_asian_width(sign) in "WF"
