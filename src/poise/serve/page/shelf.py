"""The catalogue on the page: what is popular first, what was looked for, or what is like an item."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from poise.serve.http.items import similar
from poise.serve.http.search import search
from poise.serve.page.cards import Card, cards_of, details
from poise.serve.page.visit import Visit
from poise.serve.tenant import Tenant
from poise_client.schema.fields import MOST_SHOWN

A_PART = 24  # items


@dataclass(frozen=True, slots=True)
class Shelf:
    """A part of the catalogue.

    Attributes:
        cards: the items.
        size: how many there are in all.
        more: whether there are more to show.
        item: that the items are like; None where they are not picked by one.
    """

    cards: list[Card]
    size: int
    more: bool
    item: ShownItem | None = None


@dataclass(frozen=True, slots=True)
class ShownItem:
    """An item that is looked at: its card, and all that the catalogue says of it, by column."""

    card: Card
    details: list[tuple[str, str]]


async def shelf(tenant: Tenant, visit: Visit) -> Shelf:
    """Return the part of the catalogue that a visit asks for."""
    serving_model = tenant.state.serving_model
    size = int(serving_model.catalogue.available.sum())
    many = visit.part * A_PART
    if visit.item is not None:
        return await _like_it(tenant, visit.item, size)
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


async def _like_it(tenant: Tenant, item_id: str, size: int) -> Shelf:
    catalogue = tenant.state.serving_model.catalogue
    found = await similar(tenant, item_id, A_PART)
    (index, *others) = catalogue.item_ids.index([item_id, *(other.item_id for other in found.items)]).tolist()
    (card,) = cards_of(catalogue, [index])
    cards = await asyncio.to_thread(cards_of, catalogue, others)
    return Shelf(cards, size, more=False, item=ShownItem(card, details(catalogue, index)))
