"""What of a catalogue is there to be read: words, not coordinates, links, codes, JSON or marks of HTML."""

from __future__ import annotations

import re

import polars as pl

_SAMPLE = 2_000
_MOSTLY = 0.8

_NO_WORDS = re.compile(
    r"""(?ix) ^\s* (?:
      (?: https?:// | ftp:// | www\. | data:\w+/ | // )\S*                        # links
    | [\w.+-]+@[\w-]+\.[\w.]+                                                     # addresses
    | (?: [a-z]:\\ | /(?:[\w.-]+/)+ | (?:[\w-]+/)+[\w-]+\.\w{2,5}$ )\S*           # paths
    | [\[({]? \s* -?\d{1,3}\.\d+ \s* [,;\s] \s* -?\d{1,3}\.\d+ .*                 # coordinates
    | (?: point | polygon | linestring | multipolygon | srid=\d+ ) \b .*          # and shapes
    | [{\[] .* ["':] .* [}\]]                                                     # JSON
    | \#[0-9a-f]{3,8} | (?: [0-9a-f]{2}[:-]){5}[0-9a-f]{2}                        # colours, machines
    | [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{20,} | [0-9a-f]{16,}                      # UUIDs, hashes
    | \d{4}[-/.]\d{1,2}[-/.]\d{1,2}.* | \d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}.*         # times
    | [^\s\w]* [\d\s.,:;/+*%€$£-]+ [^\s\w]*                                       # numbers
    | (?= \S*\d) (?= \S*[a-z_-]) [\w./:-]{4,}                                     # codes: letters and digits in one
    ) \s* $""",
    re.DOTALL,
)
_CODE_NAMES = re.compile(
    r"(?i:(?:^|[_ .])(?:id|ids|uid|uuid|guid|code|codes|zip|zipcode|postcode|plz|sku|asin|isbn|ean|gtin|upc|hash|slug|"
    r"phone|tel|fax|url|urls|uri|link|links|href|email|lat|lon|lng|latitude|longitude|coordinates?|coords?|geo|geometry|"
    r"geolocation|json|checksum|token|created_at|updated_at)$)|[a-z](?:Id|ID|Code|Url|URL|Uri|Link)$"
)
_TAG = r"(?s)<!--.*?-->|<(?:script|style)\b.*?</(?:script|style)>|</?[a-zA-Z][^<>]{0,2000}>|<!\[CDATA\[|\]\]>"
_LINK = r"(?:https?://|www\.)[^\s<>\"')\]]+"
_JOINED = r"(?i)</?(?:b|i|u|em|strong|span|a|sup|sub|small|mark|font|code)\b[^<>]{0,2000}>"


def holds_words(column: pl.Series) -> bool:
    """Tell whether a column of text or labels holds words to read, by its name and most of its values.

    Codes are told from names such as ``MP3`` or ``R2D2`` by standing in most cells, as different ones.
    """
    if _CODE_NAMES.search(column.name):
        return False
    values = column.explode() if isinstance(column.dtype, pl.List) else column
    values = values.cast(pl.String).drop_nulls()
    sample = values.filter(values.str.strip_chars() != "").unique(maintain_order=True).head(_SAMPLE).to_list()
    if not sample:
        return False
    return sum(_NO_WORDS.match(value) is not None for value in sample) < _MOSTLY * len(sample)


def as_words(value: pl.Expr) -> pl.Expr:
    """Return text without marks of HTML, entities that it may have kept, and links, its blanks as one each."""
    plain = value.str.replace_all(_JOINED, "").str.replace_all(_TAG, " ").str.replace_all(_LINK, " ")
    plain = plain.str.replace_all("&nbsp;|\u00a0|\u200b|\ufeff", " ").str.replace_all("&amp;", "&", literal=True)
    return plain.str.replace_all(r"\s+", " ").str.strip_chars(" ")
