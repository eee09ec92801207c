"""What is recommended, by two models side by side, and what has changed since the last click."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from poise.errors import PoiseError
from poise.project.run import Run
from poise.serve.page.cards import Card, cards_of
from poise.serve.page.visit import POPULAR, Visit
from poise.serve.page.words import chosen_by, measured, milliseconds, why
from poise.serve.state.serving_model import ServingModel
from poise.serve.tenant import Tenant
from poise_client.schema.recommendations import RecommendationRequest, Slate

SHOWN = 10  # items on each side
SCENARIO = "page"  # that sets impressions of this page apart from others
OFFERED = 20  # runs to compare with


@dataclass(frozen=True, slots=True)
class Place:
    """An item of a slate.

    Attributes:
        card: the item.
        score: the model's, in figures; empty where it says nothing to people.
        why: it is here, in words.
        moved: places that it has gone up since the last click, negative for down; None if it was not there.
    """

    card: Card
    score: str
    why: str
    moved: int | None


@dataclass(frozen=True, slots=True)
class Side:
    """A slate, and what made it.

    Attributes:
        model: what the pipeline is called.
        run: its name; empty for popular items.
        stage: how far it came.
        took: how long the answer took, in words.
        request_id: of the answer; None for popular items.
        places: the items, the best first.
        compared: whether there is a slate from before the last click, so that ``moved`` means something.
        problem: why this is not the run that was asked for.
    """

    model: str
    run: str
    stage: str
    took: str
    request_id: str | None
    places: list[Place]
    compared: bool = False
    problem: str = ""

    def lacks(self, item_id: str) -> bool:
        """Tell whether an item is not among those that are shown."""
        return all(place.card.item_id != item_id for place in self.places)


def others(tenant: Tenant) -> list[tuple[str, str]]:
    """Return the names of the runs that the served one can be compared with, the newest first, and their models."""
    project = tenant.project
    names = [name for name in reversed(project.runs) if name != tenant.state.serving_model.name]
    models = [(name, _model(project.runs_folder / name)) for name in names[:OFFERED]]
    return [(name, model) for name, model in models if model]


async def served_side(tenant: Tenant, visit: Visit) -> Side:
    """Return what is recommended to the visit's user."""
    return await _side(tenant, visit, tenant.state.serving_model)


async def other_side(tenant: Tenant, visit: Visit, name: str) -> Side:
    """Return what another run, or popularity alone, would recommend; popularity too where the run cannot be loaded."""
    problem = ""
    if name != POPULAR:
        try:
            return await _side(tenant, visit, await asyncio.to_thread(tenant.state.another, name))
        except PoiseError as error:
            problem = f"{error}."
    start = time.perf_counter()
    model, histories = tenant.state.serving_model, tenant.state.user_histories
    item_ids = model.catalogue.item_ids
    history = await asyncio.to_thread(
        partial(
            histories.history,
            visit.user_id or "",
            item_ids,
            model.behaviours,
            reads_users=model.pipeline.reads_users,
        )
    )
    popularity = tenant.state.popularity.scores(model.catalogue.item_ids)
    popular = model.most_popular(popularity, SHOWN, history.done.tolist() if model.hides_seen else ())
    cards = await asyncio.to_thread(cards_of, model.catalogue, popular.items.tolist())
    places = [
        Place(card, "", chosen_by(people).capitalize(), 0)
        for card, people in zip(cards, tenant.state.popularity.people([card.item_id for card in cards]), strict=True)
    ]
    return Side("Popularity", "", POPULAR, milliseconds(time.perf_counter() - start), None, places, problem=problem)


async def _side(tenant: Tenant, visit: Visit, serving_model: ServingModel) -> Side:
    request = RecommendationRequest(user_id=visit.user_id, k=SHOWN, explain=True, scenario=SCENARIO)
    seconds: dict[str, float] = {}
    slate = await tenant.engine.recommend(request, serving_model, seconds)
    took = f"{milliseconds(seconds['answer'])}, reasons {milliseconds(seconds['reasons'])}"
    if visit.since:
        await tenant.engine.impressions.flush()
    before = await asyncio.to_thread(_before, tenant, visit, slate)
    items = serving_model.catalogue.item_ids.index([item.item_id for item in slate.items]).tolist()
    cards = await asyncio.to_thread(cards_of, serving_model.catalogue, items)
    scores, whys = measured([item.score for item in slate.items]), [why(item) for item in slate.items]
    if slate.stage == POPULAR:  # how many people says more than a share of the most popular
        people = tenant.state.popularity.people([card.item_id for card in cards])
        whys = ["; ".join(filter(None, (said, chosen_by(many)))) for said, many in zip(whys, people, strict=True)]
        scores = [""] * len(cards)
    places = [
        Place(card, score, said, before[card.item_id] - index if card.item_id in before else None)
        for index, (card, score, said) in enumerate(zip(cards, scores, whys, strict=True))
    ]
    return Side(slate.model, slate.run, slate.stage, took, slate.request_id, places, compared=bool(before))


def _before(tenant: Tenant, visit: Visit, slate: Slate) -> Mapping[str, int]:
    """Return the place of each item that the same run showed to the same user before the last click."""
    for request_id in visit.since:
        for page in tenant.store.impressions(request_id):
            if page.run == slate.run and page.user_id == visit.user_id and page.scenario == SCENARIO:
                return {item_id: position for position, item_id in enumerate(page.items)}
    return {}


def changes(side: Side) -> tuple[int, int]:
    """Return how many items of a slate are new since the last click, and how many stand elsewhere."""
    moves: Sequence[int | None] = [place.moved for place in side.places] if side.compared else []
    return sum(move is None for move in moves), sum(bool(move) for move in moves)


@lru_cache(maxsize=200)
def _model(path: Path) -> str:
    """Return what the pipeline of a run is called; empty if the run is damaged. Runs do not change."""
    try:
        return str(Run.open(path).metadata.get("pipeline", "?"))
    except PoiseError:
        return ""
