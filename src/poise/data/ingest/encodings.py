"""Which encoding a text file is in, by the whole file; what cannot be told is refused, never read as mojibake."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import Counter
from typing import NamedTuple

from poise.errors import DataError

SPOILT = "\ufdd0"
"""Stands for bytes that are no sign of the encoding, until the rows with it are told; a sign that no text holds."""

CONTROLS = bytes([*range(9), 11, 12, *range(14, 32), 127])
"""The bytes of signs that no text holds: all below the blank but tabs and line ends."""

_LINES, _BYTES = 3_000, 400_000  # of those with other signs than ASCII, by which an encoding is judged
_MOST_SPOILT = 0.02  # of these lines may hold bytes that an encoding does not know
_SEVERAL = 0.97  # what a letter of any language counts that is written in an encoding, against one of one language
_LEAST = 0.85  # of the other letters must belong to one language

# The letters of languages beside those of ASCII, by the encodings of one byte that they are written in.
_WESTERN = (*("àâæçéèêëîïôœùûüÿ", "äöüß", "áéíñóúü", "áâãàçéêíóôõú", "åäöæøé", "àèéìíòóùú", "ëéïöüèê", "áðéíóúýþæö"),)
_CENTRAL = ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîșțşţ", "čćđšž", "äöüß")
_TURKISH = ("çğıiöşüâîû",)  # İ is a small i with a dot
_BALTIC = ("ąčęėįšųūž", "āčēģīķļņšūž", "äöõüšž")
_CANDIDATES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("cp1252", _WESTERN),
    ("cp1250", _CENTRAL),
    ("cp1254", _TURKISH),
    ("cp1257", _BALTIC),
    ("iso8859_2", _CENTRAL),
    ("mac_roman", _WESTERN),
    ("cp850", _WESTERN),
    ("cp852", _CENTRAL),
)
_NAMES = {
    "cp1252": "Windows-1252",
    "cp1250": "Windows-1250",
    "cp1254": "Windows-1254",
    "cp1257": "Windows-1257",
    "cp1251": "Windows-1251",
    "gb18030": "GBK",
    "gbk": "GBK",
    "cp932": "Shift-JIS",
    "shift_jis": "Shift-JIS",
    "cp949": "EUC-KR",
    "euc_kr": "EUC-KR",
    "big5": "Big5",
    "cp950": "Big5",
    "big5hkscs": "Big5",
    "euc_jp": "EUC-JP",
    "koi8_r": "KOI8-R",
    "cp866": "CP866",
}
_SCRIPTS: dict[str, tuple[str, str | tuple[int, int]]] = {
    # the script, and what is common in it: letters that make up most of a text, or the first bytes of common signs
    "cp1251": ("CYRILLIC", "оеаинтсрвлі"),
    "koi8_r": ("CYRILLIC", "оеаинтсрвлі"),
    "cp866": ("CYRILLIC", "оеаинтсрвл"),
    "iso8859_5": ("CYRILLIC", "оеаинтсрвлі"),
    "cp1253": ("GREEK", "αοιετσνηράέίόςήώύ"),
    "cp1255": ("HEBREW", "יוהלארתבשמ"),
    "cp1256": ("ARABIC", "اليمونرتبةد"),
    "cp874": ("THAI", "านรกอเงยมลวดทสตะปบคหแไโชพขผ"),
    "gb18030": ("CJK", (0xA1, 0xD7)),
    "cp932": ("CJK", (0x81, 0xDF)),
    "euc_jp": ("CJK", (0x8E, 0xCF)),
    "big5": ("CJK", (0xA1, 0xC6)),
    "cp949": ("HANGUL", (0xB0, 0xC8)),
}
_SAME = {
    "gb18030": ("gbk", "gb2312"),
    "cp932": ("shift_jis", "shift_jis_2004", "shift_jisx0213"),
    "euc_jp": ("euc_jis_2004", "euc_jisx0213"),
    "big5": ("cp950", "big5hkscs"),
    "cp949": ("euc_kr", "johab"),
    "cp866": ("cp1125",),
    "koi8_r": ("koi8_u",),
    "cp1253": ("iso8859_7",),
    "cp1255": ("iso8859_8",),
    "cp874": ("iso8859_11", "tis_620"),
}
_CJK = ("CJK", "HIRAGANA", "KATAKANA", "HALFWIDTH KATAKANA", "FULLWIDTH")
_LIKELY, _COMMON = 0.45, 0.9
_CYRILLIC = 1.3  # shares of common and of small letters, together
_BREAKS = re.compile(  # what words of a script never have: capitals behind small letters, marks without a letter
    r"ς(?=[α-ω])|[a-zа-яёіїєα-ωά-ώ](?=[А-ЯЁІЇЄΑ-Ω])|(?<![ก-ฮ\u0e31\u0e34-\u0e3a\u0e47-\u0e4e])[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]|[๐-๛฿]"
)


class Decoded(NamedTuple):
    """A text as UTF-8, what its encoding is called, and whether it holds ``SPOILT``."""

    content: bytes
    encoding: str
    is_spoilt: bool


def _mark(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return SPOILT, error.end


codecs.register_error("poise-mark", _mark)


def is_binary(content: bytes) -> bool:
    """Tell whether a file is no text: it holds many control signs, and not the zeros of UTF-16."""
    head = content[:1_000_000]
    n_controls = len(head) - len(head.translate(None, CONTROLS))
    has_mark = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE))
    if n_controls <= 0.02 * len(head) or has_mark or _without_mark(head) is not None:
        return False
    return head[: head.find(b"\n")].count(1) == 0 or n_controls > 0.4 * len(head)


def to_utf8(content: bytes, where: str, encoding: str | None = None) -> Decoded:
    """Return a text as UTF-8 without a byte order mark.

    A byte order mark decides; then the zeros of UTF-16; then UTF-8, if at least half of the other signs than ASCII
    are sound; then other encodings, by the letters that they would make of the bytes.

    Args:
        content: the whole file.
        where: what to call it in errors.
        encoding: of the file, where it is known.

    Raises:
        DataError: ``encoding`` is none, or the encoding cannot be told.
    """
    if encoding is not None:
        try:
            known = codecs.lookup(encoding).name
        except LookupError:
            raise DataError(f"{encoding!r} is no encoding; give one such as 'utf-8', 'cp1251' or 'gbk'") from None
        return _decoded(content, known, encoding)
    for mark, name in (
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if content.startswith(mark):
            return _decoded(content, name, "UTF-16" if name == "utf-16" else "UTF-32")
    content = content.removeprefix(codecs.BOM_UTF8)
    if (order := _without_mark(content)) is not None:
        return _decoded(content, order, "UTF-16")
    try:
        content.decode()
    except UnicodeDecodeError:
        pass
    else:
        return Decoded(content, "UTF-8", is_spoilt=False)
    text = content.decode(errors="poise-mark")
    spoilt = text.count(SPOILT)
    if sum(len(signs) for signs in re.findall(r"[^\x00-\x7f]+", text)) - spoilt >= spoilt:
        return Decoded(text.encode(), "UTF-8", is_spoilt=True)
    lines = _telling_lines(content)
    if (found := _by_scripts(lines) or _by_letters(lines)) is not None:
        return _decoded(content, found, _NAMES.get(found, found))
    raise DataError(
        f"{where} is not UTF-8, and which encoding it is in cannot be told from it; save it as UTF-8, "
        "or say what it is: encoding = \"cp1251\" under [data] in poise.toml, load_files(..., encoding='cp1251')"
    )


def _decoded(content: bytes, encoding: str, name: str) -> Decoded:
    text = content.decode(encoding, errors="poise-mark").removeprefix("\ufeff")
    return Decoded(text.encode(errors="replace"), name, is_spoilt=SPOILT in text)


def _without_mark(content: bytes) -> str | None:
    """Return which UTF-16 a text without a mark is in: its ASCII signs have a zero beside them, all on one side."""
    head = content[:200_000]
    zeros = head.count(0)
    if zeros < max(8, 0.1 * len(head)) or not (b"\n\0" in head or b"\0\n" in head):
        return None
    odd = head[1::2].count(0)
    if odd >= 0.95 * zeros:
        return "utf-16-le"
    return "utf-16-be" if odd <= 0.05 * zeros else None


def _telling_lines(content: bytes) -> list[bytes]:
    """Return different lines with other signs than ASCII, from all over the file."""
    found = list(dict.fromkeys(re.findall(rb"[^\r\n]*[\x80-\xff][^\r\n]*", content)))
    lines = found[:: max(1, len(found) // _LINES)]
    size = sum(map(len, lines))
    return lines[:: max(1, size // _BYTES)]


def _by_scripts(lines: list[bytes]) -> str | None:
    """Return the encoding of a script other than Latin: the first plausible one of charset-normalizer's."""
    from charset_normalizer import from_bytes

    if (cyrillic := _cyrillic(lines)) is not None:
        return cyrillic
    for match in from_bytes(b"\n".join(lines), cp_exclusion=["utf_8", "utf_16", "utf_32", "ascii"]):
        name = next((name for name, same in _SAME.items() if match.encoding in same), match.encoding)
        if name in _SCRIPTS and _is_plausible(lines, name):
            return name
    return None


def _cyrillic(lines: list[bytes]) -> str | None:
    """Return the Cyrillic encoding by which most letters are common and small: others make capitals of small ones."""

    def likelihood(encoding: str) -> float:
        text = b"\n".join(lines).decode(encoding, errors="replace")
        common = str(_SCRIPTS[encoding][1])
        others = [sign for sign in text if ord(sign) > 127]
        return sum((sign.lower() in common) + sign.islower() for sign in others if sign != "\ufffd") / len(others)

    likeliest = max((name for name, (script, _) in _SCRIPTS.items() if script == "CYRILLIC"), key=likelihood)
    return likeliest if likelihood(likeliest) >= _CYRILLIC and _is_plausible(lines, likeliest) else None


def _is_plausible(lines: list[bytes], encoding: str) -> bool:
    """Tell whether an encoding makes words of one script of the lines, and common ones."""
    text = _sound(lines, encoding)
    if text is None or _mixed(text) > 0.2:  # words of one script hold no Latin letters
        return False
    script, common = _SCRIPTS[encoding]
    letters = Counter(sign.lower() for sign in text if ord(sign) > 127 and sign.isalpha())
    if isinstance(common, str):
        likely = sum(letters[letter] for letter in common) >= _LIKELY * letters.total()
    else:
        firsts = ((sign.encode(encoding)[0], count) for sign, count in letters.items())
        likely = sum(n for first, n in firsts if common[0] <= first <= common[1]) >= _COMMON * letters.total()
    others = sum(ord(sign) > 127 and not unicodedata.combining(sign) for sign in text)
    ours = sum(count for sign, count in letters.items() if _is_of(sign, script))
    breaks = len(_BREAKS.findall(text))
    return likely and ours >= 0.9 * letters.total() >= 0.7 * others > 0 and breaks <= 0.03 * letters.total()


def _mixed(text: str) -> float:
    """Return the share of the words with other letters than ASCII that hold ASCII letters too."""
    words = [word for word in re.findall(r"[^\W\d_]+", text) if not word.isascii()]
    return sum(re.search("[A-Za-z]", word) is not None for word in words) / max(1, len(words))


def _is_of(sign: str, script: str) -> bool:
    return unicodedata.name(sign, "").startswith(_CJK if script == "CJK" else script)


def _by_letters(lines: list[bytes]) -> str | None:
    """Return the encoding of the Latin script by which most other letters are of one language; None if they are not."""
    best, best_share = None, _LEAST
    for encoding, languages in _CANDIDATES:
        text = _sound(lines, encoding)
        if text is None:
            continue
        if _mixed(text) < 0.3 and re.search(r"[^\W\d_a-zA-Z]", text):
            continue
        letters = Counter(sign.lower()[0] for sign in text if ord(sign) > 127 and sign.isalpha())
        odd = len(re.findall(r"(?<=[^\W\d_])[^\w\s'’‘\x00-\x7f](?=[^\W\d_])", text))
        odd += len(re.findall(r"(?<=[^\W\d_])[¹²³ªºŸŒ](?=[a-z])", text))
        total = letters.total() + odd
        if not total:  # quotes and signs of currencies alone
            share = 0.98 if not re.search(r"[^\x00-\x7f‘’“”„‚–—…€£¥§©®™°•·«»\xa0´]", text) else 0.0
        else:
            share = max(sum(letters[letter] for letter in language) for language in languages) / total
            if languages is _WESTERN:  # a catalogue speaks of jalapeños and crèmes brûlées in one line
                share = max(share, _SEVERAL * sum(letters[letter] for letter in set("".join(languages))) / total)
        if share > best_share + 1e-9:
            best, best_share = encoding, share
    return best


def _sound(lines: list[bytes], encoding: str) -> str | None:
    """Return the lines as text, without the few that an encoding does not know; None if there are more than a few."""
    texts = [line.decode(encoding, errors="poise-mark") for line in lines]
    sound = [text for text in texts if SPOILT not in text and not re.search(r"[\x80-\x9f\ue000-\uf8ff]", text)]
    return "\n".join(sound) if len(texts) - len(sound) <= max(_MOST_SPOILT * len(texts), len(texts) >= 10) else None
