"""Items as the page shows them: a title, a picture, and what else the catalogue says in a few words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from poise.data.schema import json_columns
from poise.serve.catalogue.catalogue import Catalogue
from poise.serve.page.pictures import picture_of

LABELS = 3  # of the first column of labels
FACTS = 4  # on a card
LONGEST_FACT = 40  # characters; what is longer is for reading, not for a card
LONGEST_DETAIL = 600
_PRICES = re.compile(
    r"(^|[_\W])(price|preis|prix|precio|prezzo|preço|preco|prijs|pris|cena|cost|amount|harga|fiyat)s?([_\W]|$)"
    r"|цена|价格|售价|价钱|価格|値段|가격",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"^\s*(https?:)?//|^\s*www\.", re.IGNORECASE)
_CODES = re.compile(r"(^|[_\W])(id|ids|code|sku|ean|isbn|asin|uuid|url|link|lat|latitude|lon|lng|longitude)$", re.I)


@dataclass(frozen=True, slots=True)
class Card:
    """An item as the page shows it.

    Attributes:
        item_id: its id.
        title: what people call it.
        facts: what it is, in a few words: price, labels, numbers.
        picture: the address of its picture; empty if it has none, None in a catalogue without pictures.
    """

    item_id: str
    title: str
    facts: list[str]
    picture: str | None


def cards_of(catalogue: Catalogue, items: Sequence[int]) -> list[Card]:
    """Return items as the page shows them, by their indices."""
    return [
        Card(catalogue.item_ids.id(item), catalogue.titles[item], facts(catalogue, item), picture_of(catalogue, item))
        for item in items
    ]


def facts(catalogue: Catalogue, item: int) -> list[str]:
    """Return what the catalogue says of an item, as far as it fits on a card: the price first, then labels, numbers."""
    content, kinds = catalogue.contents[item], catalogue.kinds
    prices = [name for name in kinds if _PRICES.search(name)]
    found = [_named(name, content.get(name)) for name in prices[:2]]
    for number, column in enumerate(name for name in catalogue.label_shares if name not in prices):
        labels = catalogue.labels(column, item)[: 1 if number else LABELS]
        found.append(", ".join(label for label in labels if len(label) <= LONGEST_FACT))
    for name, kind in kinds.items():
        if kind == "number" and name not in prices and not _CODES.search(name):
            found.append(_named(name, content.get(name)))
    return [fact for fact in found if fact][:FACTS]


def details(catalogue: Catalogue, item: int) -> list[tuple[str, str]]:
    """Return all that the catalogue says of an item, by column; long texts are cut."""
    said = []
    for name, kind in catalogue.kinds.items():
        value = catalogue.contents[item].get(name)
        if value is None or kind == "image" or name == catalogue.title_column:
            continue
        text = ", ".join(catalogue.labels(name, item)) if kind == "categories" else _written(name, value)
        if text:
            said.append((_in_words(name), text if len(text) <= LONGEST_DETAIL else f"{text[:LONGEST_DETAIL]}…"))
    return said


def _named(column: str, value: Any) -> str:
    """Return a value with the name of its column; empty where there is none, or it does not fit on a card."""
    if value is None or isinstance(value, list | dict):
        return ""
    text = _written(column, value)
    if not text or len(text) > LONGEST_FACT or _ADDRESS.match(text):
        return ""
    return f"{_in_words(column)} {text}"


def _written(column: str, value: Any) -> str:
    """Write a value for people: prices with cents, large numbers in groups of three digits, years as they are."""
    number = value
    if isinstance(value, str):
        number = float(value) if re.fullmatch(r"-?\d{1,15}(\.\d{1,6})?", value.strip()) else None
    if isinstance(number, bool) or not isinstance(number, int | float):
        return json_columns.text(value).strip()
    if _PRICES.search(column):
        return f"{number:,.2f}"
    if float(number).is_integer():
        return f"{number:.0f}" if abs(number) < 10_000 or isinstance(value, str) else f"{number:,.0f}"
    return f"{number:,.6g}"


def _in_words(column: str) -> str:
    return re.sub(r"[_\s]+", " ", column).strip().lower()
