"""The catalogue on the page: what is popular first, or what was looked for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from poise.serve.catalogue.catalogue import Catalogue
from poise.serve.http.search import search
from poise.serve.page.pictures import picture_of
from poise.serve.page.visit import Visit
from poise.serve.tenant import Tenant
from poise_client.schema.fields import MOST_SHOWN

A_PART = 24  # items
LABELS = 3  # of an item that are shown


@dataclass(frozen=True, slots=True)
class Card:
    """An item as the page shows it.

    Attributes:
        item_id: its id.
        title: what people call it.
        labels: what it is, in a few words.
        picture: the address of its picture; empty if it has none, None in a catalogue without pictures.
    """

    item_id: str
    title: str
    labels: str
    picture: str | None


@dataclass(frozen=True, slots=True)
class Shelf:
    """A part of the catalogue.

    Attributes:
        cards: the items.
        size: how many there are in all.
        more: whether there are more to show.
    """

    cards: list[Card]
    size: int
    more: bool


async def shelf(tenant: Tenant, visit: Visit) -> Shelf:
    """Return the part of the catalogue that a visit asks for."""
    serving_model = tenant.state.serving_model
    size = int(serving_model.catalogue.available.sum())
    many = visit.part * A_PART
    if visit.query:
        many = min(many, MOST_SHOWN - 1)
        results = await search(tenant, visit.query, many + 1)
        items = serving_model.catalogue.item_ids.index([result.item_id for result in results.items])
    else:
        popularity = tenant.state.popularity.scores(serving_model.catalogue.item_ids)
        items = serving_model.most_popular(popularity, many + 1).items
    more = len(items) > many and (not visit.query or many < MOST_SHOWN - 1)
    cards = await asyncio.to_thread(cards_of, serving_model.catalogue, items[:many].tolist())
    return Shelf(cards, size, more)


def cards_of(catalogue: Catalogue, items: Sequence[int]) -> list[Card]:
    """Return items as the page shows them, by their indices."""
    column = next(iter(catalogue.label_shares), None)
    return [
        Card(
            catalogue.item_ids.id(item),
            catalogue.titles[item],
            "" if column is None else ", ".join(catalogue.labels(column, item)[:LABELS]),
            picture_of(catalogue, item),
        )
        for item in items
    ]
