"""The person for whom the page shows slates: what they did, and their interests."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from poise.durations import MINUTE
from poise.serve.http.users import profile
from poise.serve.page.words import ago, done, leaning
from poise.serve.state.interests import interests
from poise.serve.tenant import Tenant

OFFERED = 8  # people to pick from
INTERESTS = 4
FRESH = MINUTE  # that something has just happened


@dataclass(frozen=True, slots=True)
class Deed:
    """What a person did with an item: its id and title, what, when (empty without times), if it has just happened."""

    item_id: str
    title: str
    what: str
    when: str
    fresh: bool


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody.

    Attributes:
        user_id: who.
        events: how many are known, in words.
        interests: labels, and how many times as often as in the catalogue each occurs.
        history: what they did, the newest first.
    """

    user_id: str
    events: str
    interests: list[tuple[str, str]]
    history: list[Deed]


def invented() -> str:
    """Return an id that nobody has."""
    return f"guest-{secrets.token_hex(4)}"


async def person(tenant: Tenant, user_id: str) -> Person:
    """Return what is known of somebody."""
    user_profile = await profile(tenant, user_id)
    if user_profile is None:
        return Person(user_id, "", [], [])
    now, liked_from = tenant.clock.milliseconds(), tenant.state.serving_model.liked_from
    history = [
        Deed(
            event.item_id,
            event.title,
            done(event.behaviour, event.value, liked_from),
            ago(event.timestamp, now),
            0 <= now - event.timestamp < FRESH,
        )
        for event in user_profile.history
    ]
    return Person(user_id, _events(user_profile.events), leaning(user_profile.interests, INTERESTS), history)


def people(tenant: Tenant) -> list[Person]:
    """Return a handful of those who did something, the latest first, without their histories."""
    catalogue, persons = tenant.state.serving_model.catalogue, []
    for user_id in tenant.store.latest_users(OFFERED):
        past = tenant.state.user_histories.past(user_id)
        chosen = tenant.state.user_histories.chosen(past, catalogue.item_ids)
        liked = leaning(interests(catalogue, chosen), INTERESTS - 1)
        persons.append(Person(user_id, _events(past.n_events), liked, []))
    return persons


def _events(many: int) -> str:
    if not many:
        return ""
    return f"{many:,} event{'s' if many > 1 else ''}"
