"""What looks wrong in a data set, or asks for care, in plain words."""

from __future__ import annotations

from collections.abc import Callable

from poise.data.doctor.findings import Examination, Verdict, percent

MANY_TIES = 0.2
"""Share of a user's neighbouring events with equal time from which "what came next" is partly made up."""

_ONE_MOMENT = 0.2  # share of users whose whole history was written at once: an import, or a form filled in
_DUPLICATES = 0.01
_UNTIMED = 0.01
_BUSY_DAY, _BUSY_DAY_SPAN = 0.2, 30  # a fifth of a month or more on one day is an import or a campaign
_LONG_GAP, _GAP_DAYS = 0.1, 3  # a tenth of the whole time without an event, and not just a weekend
_ONE_USER = 0.05  # share of all events: no person, or the weight of one person on everybody
_FEW_USERS = 100  # among fewer, a person may well have a twentieth of the events
_HEAVY_HEAD = 0.5  # share of the events on a hundredth of the items
_REFUSED = 0.05


def _leakage(examination: Examination) -> Verdict | None:
    if not examination.suspects:
        return None
    named = ", ".join(f"{suspect.table}.{suspect.column}" for suspect in examination.suspects)
    return Verdict(
        "leakage",
        "bad",
        "Columns may give the answer away",
        f"{named}: {'see below why' if len(examination.suspects) > 1 else examination.suspects[0].reason}.",
        "Leave them out, or compute them from events before the moment of the recommendation only.",
    )


def _order(examination: Examination) -> Verdict | None:
    order = examination.order
    if order.ties is None:
        return Verdict(
            "order",
            "warning",
            "There is no clock",
            "No event has a time"
            + (f", and each user's rows stand sorted by {order.sorted_by}." if order.sorted_by else "."),
            "Models are measured on events that are held out at random, whatever the order of the rows. A split by "
            "time, trends, seasons and what comes next are out of reach: log the time of each event.",
        )
    if order.ties > MANY_TIES:
        coarse = examination.clock is not None and examination.clock.resolution == "day"
        cause = "times are whole days" if coarse else "they were probably entered in one go, or loaded in bulk"
        return Verdict(
            "order",
            "warning",
            "The order within a history is partly made up",
            f"{percent(order.ties)} of a user's neighbouring events have the same time ({cause}); among them the order "
            "of the file counts.",
            "Do not read much into models of what comes next; check that the file is in time order.",
        )
    return Verdict(
        "order",
        "good",
        "The order of events can be trusted",
        f"{percent(order.ties)} of a user's neighbouring events have the same time.",
        "Models of what comes next may rely on it.",
    )


def _one_moment(examination: Examination) -> Verdict | None:
    share = examination.order.one_moment_users
    if share is None or share < _ONE_MOMENT:
        return None
    return Verdict(
        "one_moment",
        "warning",
        "Many histories were written at one moment",
        f"For {percent(share)} of the users with 3 events or more, all events have the same time.",
        "Find out whether they are an import; its times are not the times when people acted.",
    )


def _clock_oddities(examination: Examination) -> Verdict | None:
    clock = examination.clock
    if clock is None:
        return None
    odd = []
    if clock.without_time > _UNTIMED:
        odd.append(f"{percent(clock.without_time)} of the events have no time and are taken for the oldest")
    if clock.future_events:
        odd.append(f"{clock.future_events:,} events lie in the future")
    if clock.busiest_day_share > _BUSY_DAY and clock.days > _BUSY_DAY_SPAN:
        odd.append(f"{percent(clock.busiest_day_share)} of all events fall on {clock.busiest_day}")
    if clock.longest_gap_days > max(_GAP_DAYS, _LONG_GAP * clock.days):
        odd.append(f"nothing happened for {clock.longest_gap_days:,.0f} days on end")
    if not odd:
        return None
    reason = "; ".join(odd)
    return Verdict(
        "clock",
        "bad" if clock.future_events else "warning",
        "Some times look wrong",
        f"{reason[0].upper()}{reason[1:]}.",
        "Check the unit and the zone of the times, and whether data is missing or was loaded in bulk.",
    )


def _duplicates(examination: Examination) -> Verdict | None:
    duplicates = examination.order.duplicates
    if duplicates is None or duplicates < _DUPLICATES:
        return None
    return Verdict(
        "duplicates",
        "warning",
        "Events are there more than once",
        f"{percent(duplicates)} of the events repeat another one: same user, item, behaviour and time.",
        "Clean them out, unless each stands for a piece bought.",
    )


def _rebuys(examination: Examination) -> Verdict | None:
    rebuys = examination.rebuys
    if not rebuys.come_back:
        return None
    often = "" if rebuys.days is None else f", {rebuys.days:,.1f} days later in the median".replace(".0 days", " days")
    only = "" if len(rebuys.behaviours) == len(examination.behaviours) else f" ({', '.join(rebuys.behaviours)} alone)"
    return Verdict(
        "rebuys",
        "warning",
        "People come back to the same things",
        f"Of the {rebuys.returning_events:,} events of people who were there before{only}, {percent(rebuys.share)} are "
        f"on something that they had before{often}.",
        "Set hide_seen = false under [policy], as for groceries or music: hiding what people had would hide these.",
    )


def _odd_values(examination: Examination) -> Verdict | None:
    if examination.values is None or not examination.values.oddities:
        return None
    return Verdict(
        "odd_values",
        "warning",
        "Some values look wrong",
        " ".join(examination.values.oddities),
        "Look at the values below and clean the column.",
    )


def _one_user(examination: Examination) -> Verdict | None:
    if examination.largest_user_share < _ONE_USER or examination.n_users < _FEW_USERS:
        return None
    return Verdict(
        "one_user",
        "warning",
        "One user outweighs the others",
        f"A single user has {examination.activity.most:,} events, {percent(examination.largest_user_share)} of all.",
        "Is it a bot, a test account or the id for “nobody”? Remove it if so.",
    )


def _head(examination: Examination) -> Verdict | None:
    if examination.popularity.top_1_percent < _HEAVY_HEAD:
        return None
    return Verdict(
        "head",
        "warning",
        "A few items have most of the events",
        f"{percent(examination.popularity.top_1_percent)} of the events fall on the most popular hundredth of the "
        "items.",
        "Popularity will look strong in accuracy: look at coverage and at the long tail as well.",
    )


def _refused(examination: Examination) -> Verdict | None:
    refused = sum(count for _, count, _ in examination.refused or ())
    share = refused / (refused + examination.n_events)
    if share < _REFUSED:
        return None
    return Verdict(
        "refused",
        "warning",
        "Many rows were refused",
        f"{refused:,} rows were not taken, against {examination.n_events:,} events that were.",
        "See below why, and mend the export or the settings for cleaning.",
    )


RULES: tuple[Callable[[Examination], Verdict | None], ...] = (
    _leakage,
    _order,
    _one_moment,
    _clock_oddities,
    _duplicates,
    _rebuys,
    _odd_values,
    _one_user,
    _head,
    _refused,
)
"""Each looks at one thing; None where it is as it should be."""
