"""Which language texts are in: the writing system tells Chinese from English, and letters alone not Indonesian."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from poise.data.writing_systems import script_shares

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

LATIN = {
    **{"en": "English", "de": "German", "fr": "French", "es": "Spanish", "it": "Italian", "pt": "Portuguese"},
    **{"nl": "Dutch", "pl": "Polish", "tr": "Turkish", "id": "Indonesian", "vi": "Vietnamese", "sv": "Swedish"},
    **{"da": "Danish", "no": "Norwegian", "fi": "Finnish", "cs": "Czech", "sk": "Slovak", "hu": "Hungarian"},
    **{"ro": "Romanian", "hr": "Croatian", "sl": "Slovenian", "ca": "Catalan", "et": "Estonian", "lv": "Latvian"},
    **{"lt": "Lithuanian", "ms": "Malay", "sw": "Swahili"},
}
"""The languages in Latin letters that are told apart, by their codes."""
_OF_SCRIPT = {"Cyrillic": "Russian or another language in Cyrillic letters"}
_SAMPLE = 600  # texts, evenly spaced, that settle the question
_PART = 240  # letters that are judged together: a title alone is too short
_FEWEST = 120  # letters in all, below which nothing is said
_AGREEMENT = 0.6  # share of the parts that must be in one language


def language_of(texts: Iterable[str | None]) -> str | None:
    """Return the English name of the language that most of ``texts`` are in; None where it is not clear.

    Latin letters are told apart by py3langid (Lui and Baldwin, *langid.py: An Off-the-shelf Language Identification
    Tool*, 2012), which is asked about several texts at a time; all other languages by their writing system.
    """
    held = [re.sub(r"[\W\d_]+", " ", text).strip() for text in texts if text]
    held = list(dict.fromkeys(text for text in held if text))  # a hundred times 'Shelf, model 7' says no more than once
    held = held[:: max(1, len(held) // _SAMPLE)]
    script, share = next(iter(script_shares(held).items()), ("", 0.0))
    if script != "Latin" or share < 0.5:
        return _OF_SCRIPT.get(script, script) if share >= 0.5 and script != "other" else None
    parts = _parts(held)
    if not parts:
        return None
    identifier = _identifier()
    code, times = Counter(identifier.classify(part)[0] for part in parts).most_common(1)[0]
    return LATIN[code] if times >= _AGREEMENT * len(parts) else None


def _parts(texts: list[str]) -> list[str]:
    parts, current = [], ""
    for text in texts:
        current = f"{current} {text}".strip().lower()
        if len(current) >= _PART:
            parts.append(current)
            current = ""
    if len(current) >= _FEWEST:
        parts.append(current)
    return parts


@cache
def _identifier() -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    identifier.set_languages(list(LATIN))
    return identifier
