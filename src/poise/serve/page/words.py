"""What the page says in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from poise.durations import DAY, HOUR, MINUTE
from poise.wording import is_worded, verb
from poise_client.schema.recommendations import RecommendedItem
from poise_client.schema.users import Interest

LEAST_SCORE = 0.1  # of the best item, from which scores say something
TELLING = 1.5  # times as often as in the catalogue, from which a label says something of a person


def ago(moment: int, now: int) -> str:
    """Say when something was, in milliseconds since 1970; empty for 0, where the log has no time."""
    if not moment:
        return ""
    age = now - moment
    if age < 0 or age >= 7 * DAY:
        then = datetime.fromtimestamp(moment / 1000, UTC)
        return f"{then.day} {then:%b %Y}"
    if age < MINUTE:
        return "just now"
    if age < HOUR:
        return f"{age // MINUTE} min ago"
    if age < DAY:
        return f"{age // HOUR} h ago"
    return "yesterday" if age < 2 * DAY else f"{age // DAY} days ago"


def done(behaviour: str, value: float | None, liked_from: float) -> str:
    """Say what somebody did with an item: ``viewed``, ``liked, rated 5`` ..."""
    if not is_worded(behaviour) and behaviour not in ("interaction", "event"):  # the log's own word says more
        named = behaviour.replace("_", " ")
        return named if value is None else f"{named} {value:g}"
    if value is None:
        return verb(behaviour, float("nan"), liked_from)
    verb_text = verb(behaviour, value, liked_from)
    plain = verb(behaviour, float("nan"), liked_from)
    return f"{plain} {value:g}" if verb_text == plain else f"{verb_text}, {plain} {value:g}"


def why(item: RecommendedItem) -> str:
    """Say why an item is there; empty where that is not known."""
    text = "; ".join(reason.text for reason in item.reasons)
    if item.probability < 1:
        text += f" (probability {item.probability:.2g})"
    return text[:1].upper() + text[1:]


def leaning(interests: list[Interest], most: int) -> list[tuple[str, str]]:
    """Return the leading interests, and how many times as often as in the catalogue each occurs; the largest first."""
    telling = [interest for interest in interests if interest.times_average >= TELLING][:most]
    telling.sort(key=lambda interest: -interest.times_average)
    return [(interest.label, f"{interest.times_average:.1f}×") for interest in telling]


def chosen_by(people: int) -> str:
    """Say how many people chose an item; empty for nobody."""
    return "" if not people else "chosen by one person" if people == 1 else f"chosen by {people:,} people"


def measured(scores: Sequence[float]) -> list[str]:
    """Write the scores of a slate so that they can be told apart; as nothing where all would be like .001."""
    largest = max((abs(score) for score in scores), default=0.0)
    if largest < LEAST_SCORE:
        return [""] * len(scores)
    decimals = 2 if largest >= 1 else 3
    return [f"{score:.{decimals}f}" for score in scores]


def milliseconds(seconds: float) -> str:
    """Say how long something took."""
    return f"{seconds * 1000:.1f} ms" if seconds < 0.01 else f"{seconds * 1000:.0f} ms"
