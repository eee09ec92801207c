"""The form of an id, wherever it comes from: files, frames, messages, the command line."""

from __future__ import annotations

import unicodedata

BLANKS = (
    " \t\n\r\x0b\x0c\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f"
    "\u205f\u3000\u200b\u200e\u200f\u2060\ufeff"
)
"""What is taken off both ends of an id: blanks, those that do not break a line, and signs that are not seen."""

MISSING = frozenset(
    (
        *("", "NULL", "null", "Null", "(null)", "nan", "NaN", "NAN", "-nan", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaT"),
        *("None", "none", "NONE", "nil", "NIL", "\\N", "undefined", "#NULL!", "#REF!", "#VALUE!"),
    )
)
"""The words for a missing value in exports of databases, spreadsheets and data frames, as they spell them."""


def normalise_id(text: str) -> str:
    """Return an id without blanks at its ends, in Unicode's composed form (NFC); empty for a missing-value word."""
    text = text.strip(BLANKS)
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return "" if text in MISSING else text
