from __future__ import annotations

from collections.abc import Sequence

from poise.serve.state.ranking_request import RankedItems, RankingRequest
from poise.serve.state.serving_model import ServingModel
from poise.slates import Reason
from poise.wording import verb
from poise_client.schema import recommendations as messages
from poise_client.schema.recommendations import RecommendedItem


def slate_items(
    model: ServingModel, request: RankingRequest, ranked: RankedItems, reasons: list[list[Reason]] | None
) -> list[RecommendedItem]:
    """Return the items of an answer, with their titles.

    Args:
        model: whose catalogue they are of.
        request: with the history, as reasons name its events.
        ranked: the slate.
        reasons: why each item is there; None where the request does not ask.
    """
    catalogue = model.catalogue
    shown = ranked.items.tolist()
    why: list[Sequence[messages.Reason]] = [()] * len(shown)
    if reasons is not None:
        verbs = _verbs(model, request)
        why = [
            [
                messages.Reason(reason.kind, round(reason.share, 4), reason.text(catalogue.titles, verbs))
                for reason in of_item
            ]
            for of_item in reasons
        ]
    return [
        RecommendedItem(catalogue.ids[item], catalogue.titles[item], round(score, 6), probability, of_item)
        for item, score, probability, of_item in zip(shown, ranked.scores.tolist(), ranked.chances, why, strict=True)
    ]


def _verbs(model: ServingModel, request: RankingRequest) -> dict[int, str]:
    """Return what the person did with each item of their history, in words."""
    history = request.history
    events = zip(history.items.tolist(), history.names, history.values.tolist(), strict=True)
    return {item: verb(name, value, model.liked_from) for item, name, value in events}
