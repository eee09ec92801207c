"""What a data set is enough for, and what not, in plain words."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

from poise.data.doctor import warnings
from poise.data.doctor.findings import Examination, Verdict, percent

_COLLABORATIVE_EVENTS = 10_000  # below it, popularity is hard to beat by who-liked-what alone
_COLLABORATIVE_PER_ITEM = 5  # events from which the neighbours of an item are more than chance; the usual 5-core
_SEQUENCE_EVENTS = 50_000  # a small transformer overfits on less; the smallest public benchmarks have about 100,000
_SEQUENCE_HISTORY = 5  # events in a history: with fewer there is hardly an order to learn from
_SHORT_HISTORY = 3  # events from which recommendations are personal rather than popular
_FEW_PERSONAL = 0.5  # share of users below which most people get what is popular
_PRECISE_USERS = 1_000  # a hit rate of .1 is then known to about 2 percentage points
_FEWEST_USERS = 100  # below it to more than 6 points: no two models can be told apart
_SPLIT_DAYS = 7  # a week holds each weekday once; a split within less compares different days
_KNOWN_IN_FUTURE = 0.2  # share of later events by known users (on known items) that a test by time needs
_MOSTLY_TIES = 0.5
_READABLE, _LITTLE_READABLE = 0.9, 0.5  # share of items with text
_FEW_WORDS = 3  # an encoder hears little in a word or two
_SHORT_TEXT = 8  # words of a title with a label or two; what a thing is like takes more
_FOREIGN = 0.2  # share of letters that an English encoder cannot read
_RATING_LEVELS = 101  # as many levels as a scale from 0 to 10 in tenths has; more are amounts
_RATING_EVENTS = 1_000


def judge(examination: Examination) -> list[Verdict]:
    """Return what the findings allow and forbid, problems first."""
    tones = ("bad", "warning", "good")
    verdicts = [verdict for rule in (*_RULES, *warnings.RULES) if (verdict := rule(examination)) is not None]
    return sorted(verdicts, key=lambda verdict: tones.index(verdict.tone))


def _signal(examination: Examination) -> Verdict:
    signal = examination.signal
    if signal.found:
        return Verdict(
            "signal",
            "good",
            "There is something personal to learn",
            signal.reason,
            "Models of behaviour should do better than what is popular; 'poise fit' measures by how much.",
        )
    return Verdict(
        "signal",
        "warning",
        "No signal found",
        signal.reason,
        "A personal model will hardly do better than what is popular, unless the items' texts tell more. Check that a "
        "user id is one person and an item id one thing, and collect longer histories.",
    )


def _collaborative(examination: Examination) -> Verdict:
    popularity = examination.popularity
    solid = 1 - popularity.under_5
    reason = (
        f"There are {examination.n_events:,} events; an item that has any has {popularity.median:,.0f} in the median, "
        f"and {percent(solid)} of the {examination.n_items:,} items have at least {_COLLABORATIVE_PER_ITEM}."
    )
    if popularity.median < _COLLABORATIVE_PER_ITEM:
        return Verdict(
            "collaborative",
            "warning",
            "Few events per item for collaborative models",
            reason,
            "Rely on content for the long tail: blend a content model with EASE or ItemKNN.",
        )
    if examination.n_events < _COLLABORATIVE_EVENTS:
        return Verdict(
            "collaborative",
            "warning",
            "Few events for collaborative models",
            reason,
            "Compare with popularity before you trust a model, and collect more events.",
        )
    return Verdict(
        "collaborative",
        "good",
        "Enough for collaborative models",
        reason,
        "Start with EASE and ItemKNN: they need no tuning to speak of and are hard to beat.",
    )


def _sequences(examination: Examination) -> Verdict:
    if examination.clock is None:
        return Verdict(
            "sequences",
            "warning",
            "No order to learn from",
            "No event has a time: nothing is known to come before anything else.",
            "EASE and ItemKNN need no order.",
        )
    history, ties = examination.activity.median, examination.order.ties
    reason = f"The median history has {history:,.0f} events; there are {examination.n_events:,} events in all"
    if ties is not None and ties > warnings.MANY_TIES:
        reason += f", but {percent(ties)} of a user's neighbouring events carry the same time"
    if history < _SEQUENCE_HISTORY or examination.n_events < _SEQUENCE_EVENTS:
        return Verdict(
            "sequences",
            "warning",
            "Not enough for sequence models",
            reason + ".",
            f"They want about {_SEQUENCE_EVENTS:,} events and histories of {_SEQUENCE_HISTORY} or more. EASE with a "
            "recency weight uses what order there is.",
        )
    if ties is not None and ties > _MOSTLY_TIES:
        return Verdict(
            "sequences",
            "warning",
            "Enough events for sequence models, but their order is doubtful",
            reason + ".",
            "A model would learn the order of the file. Log the exact time of each event.",
        )
    return Verdict("sequences", "good", "Enough for sequence models", reason + ".", "Try them beside EASE.")


def _time_split(examination: Examination) -> Verdict | None:
    clock = examination.clock
    if clock is None:
        return None
    reason = (
        f"The events cover {clock.days:,.1f} days, {clock.start[:10]} to {clock.end[:10]}; in the last tenth of them "
        f"{percent(clock.last_tenth_known_users)} are by users, and {percent(clock.last_tenth_known_items)} on items, "
        "that were there before."
    )
    if clock.days < _SPLIT_DAYS:
        return Verdict(
            "time_split",
            "warning",
            "Too short for a split by time",
            reason,
            f"Evaluate by leave-last-out until there are {_SPLIT_DAYS} days or more.",
        )
    if min(clock.last_tenth_known_users, clock.last_tenth_known_items) < _KNOWN_IN_FUTURE:
        return Verdict(
            "time_split",
            "warning",
            "A split by time mostly tests strangers",
            reason,
            "It is what production sees: look at the figures for new users and new items apart, and use a model that "
            "serves them (content, popularity).",
        )
    return Verdict(
        "time_split",
        "good",
        "A split by time is possible",
        reason,
        "Report it beside leave-last-out: it is what production sees.",
    )


def _leave_last_out(examination: Examination) -> Verdict:
    users = examination.activity.at_least_3
    protocol = "Leave-random-out" if examination.clock is None else "Leave-last-out"
    margin = 1.96 * sqrt(0.1 * 0.9 / max(users, 1))
    reason = (
        f"{users:,} users have {_SHORT_HISTORY} events or more: one to test on, one to validate on, one to learn from."
    )
    if users < _FEWEST_USERS:
        return Verdict(
            "leave_last_out",
            "bad",
            "Too few users to compare models",
            reason,
            "Differences between models will be chance. Collect more events first.",
        )
    if users < _PRECISE_USERS:
        return Verdict(
            "leave_last_out",
            "warning",
            f"{protocol} tests on only {users:,} users",
            reason,
            f"A hit rate of 10% comes with ± {percent(margin)}: trust only clear differences.",
        )
    return Verdict(
        "leave_last_out",
        "good",
        f"{protocol} tests on {users:,} users",
        reason,
        f"A hit rate of 10% comes with ± {percent(margin)}.",
    )


def _personal(examination: Examination) -> Verdict:
    active = examination.n_users - examination.activity.without_events
    share = examination.activity.at_least_3 / active
    reason = (
        f"{percent(share)} of the {active:,} users with events have {_SHORT_HISTORY} or more, "
        f"{percent(examination.activity.under_5)} have fewer than 5."
    )
    if share < _FEW_PERSONAL:
        return Verdict(
            "personal",
            "warning",
            f"Personal recommendations for {percent(share)} of users only",
            reason,
            "The others get what is popular or like the one thing they touched: ask newcomers what they like.",
        )
    return Verdict(
        "personal",
        "good",
        f"Personal recommendations for {percent(share)} of users",
        reason,
        "Newcomers still need a model of what is popular, or of content.",
    )


def _content(examination: Examination) -> Verdict:
    text, unseen = examination.text, examination.popularity.without_events
    if text is None:
        return Verdict(
            "content",
            "warning",
            "Nothing to read about items",
            "No column of the items holds words" + (f", and {unseen:,} items have no event" if unseen else "") + ".",
            "Give titles and descriptions if there are any: without them new items cannot be recommended, nor the "
            "results judged by eye.",
        )
    reason = f"{percent(text.readable)} of the items have text, {text.words:,.0f} words on average"
    if text.readable_unseen is not None:
        reason += f"; of the {unseen:,} items without events {percent(text.readable_unseen)} have"
    if text.readable < _LITTLE_READABLE or text.words < _FEW_WORDS:
        return Verdict(
            "content",
            "warning",
            "Little to read about items",
            reason + ".",
            "Content models will be weak; add descriptions, categories or brands.",
        )
    if text.words < _SHORT_TEXT:
        return Verdict(
            "content",
            "warning",
            "Short texts to read",
            reason + ".",
            "They make new items known, no more: descriptions, tags or the names of makers would tell what an item is "
            "like.",
        )
    if text.readable < _READABLE:
        return Verdict(
            "content",
            "warning",
            "Some items have nothing to read",
            reason + ".",
            "Those can only be recommended once people have found them; fill in their titles.",
        )
    return Verdict(
        "content",
        "good",
        "Enough text for content models",
        reason + ".",
        "New items can be recommended from the moment that they are added.",
    )


def _language(examination: Examination) -> Verdict | None:
    scripts = examination.text.scripts if examination.text else {}
    foreign = {script: share for script, share in scripts.items() if script != "Latin"}
    if sum(foreign.values()) < _FOREIGN:
        return None
    main = max(foreign, key=lambda script: foreign[script])
    return Verdict(
        "language",
        "warning",
        f"Titles are in {main} script",
        f"{percent(foreign[main])} of the letters in the items' text are {main}.",
        "The default text encoder knows English only: choose a multilingual one (pip install 'poise[multilingual]').",
    )


def _ratings(examination: Examination) -> Verdict | None:
    values = examination.values
    if values is None or values.distinct < 2:
        return None
    valued = round(examination.n_events * (1 - values.missing))
    reason = (
        f"{valued:,} events have a value, from {values.least:g} to {values.most:g}, {values.distinct:,} different ones."
    )
    if values.kind not in (None, "rating") or values.distinct > _RATING_LEVELS:
        kind = {"quantity": "quantities", "count": "counts", "duration": "durations", "label": "yes and no"}
        return Verdict(
            "ratings",
            "good",
            f"Values are {kind.get(values.kind or '', 'amounts')} rather than ratings",
            reason,
            "They can weigh events; predicting them means little. Rank items instead.",
        )
    if valued < _RATING_EVENTS:
        return Verdict("ratings", "warning", "Too few values to predict ratings", reason, "Rank items instead.")
    return Verdict(
        "ratings",
        "good",
        "Rating prediction is possible",
        reason,
        "Ranking is usually the better question. Keep in mind that a low rating is an event too: choose what counts as "
        "liked.",
    )


def _rejections(examination: Examination) -> Verdict | None:
    rejections = examination.rejections
    if rejections is None:
        return None
    share = rejections.n_events / (rejections.n_events + examination.n_events)
    return Verdict(
        "rejections",
        "good",
        f"{percent(share)} of what people said is a no",
        f"{rejections.in_words}: they are kept apart from the {examination.n_events:,} events that say yes.",
        "A no is never learnt from as a yes, never a target, never a reason. If it was misread, say what is what under "
        "[data.feedback].",
    )


_RULES: tuple[Callable[[Examination], Verdict | None], ...] = (
    _signal,
    _rejections,
    _collaborative,
    _sequences,
    _personal,
    _content,
    _language,
    _leave_last_out,
    _time_split,
    _ratings,
)
