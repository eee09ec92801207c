from __future__ import annotations

from html import escape

import numpy as np

from poise.data.dataset import Dataset
from poise.data.doctor.findings import Examination, Verdict, percent
from poise.durations import DAY, HOUR
from poise.report import Page, plots

_TONE_WORDS = {"good": "Good", "warning": "Take care", "bad": "Problem"}
_PERIODS = 120  # points of a curve over time: more are noise at its width
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MOST_POPULAR = 10
_LONGEST_SHOWN = 50  # events of a user; who has more is well known


def report(examination: Examination, data: Dataset) -> Page:
    """Return a page about the findings, with plots.

    Args:
        examination: what :func:`poise.data.doctor.examine` said of ``data``.
        data: the data set, for the plots.
    """
    page = Page(
        f"Data check: {examination.name}",
        f"{examination.n_events:,} events · {examination.n_users:,} users · {examination.n_items:,} items",
    )
    page.heading("In short")
    page.html('<div class="notes">' + "\n".join(map(_verdict, examination.verdicts)) + "</div>")
    _columns(page, examination)
    _activity(page, examination, data)
    _popularity(page, examination, data)
    _time(page, examination, data)
    _values(page, examination, data)
    _text(page, examination)
    _leakage(page, examination)
    _refused(page, examination)
    return page


def _verdict(verdict: Verdict) -> str:
    return (
        f'<div class="note {verdict.tone}"><h3><span class="unseen">{_TONE_WORDS[verdict.tone]}: </span>'
        f"{escape(verdict.title)}</h3><p>{escape(verdict.reason)} {escape(verdict.advice)}</p></div>"
    )


def _columns(page: Page, examination: Examination) -> None:
    page.heading("Columns")
    page.table(
        ["column", "of", "holds", "missing", "different values", "for example"],
        [
            [column.name, column.table, column.kind, percent(column.missing), column.distinct, column.example]
            for column in examination.columns
        ],
        caption="What was read",
    )


def _activity(page: Page, examination: Examination, data: Dataset) -> None:
    activity = examination.activity
    page.heading("Users")
    page.text(
        f"A user with any event has {activity.median:,.0f} in the median and {activity.mean:,.1f} on average; one in "
        f"ten has {activity.p90:,.0f} or more, the most active has {activity.most:,}. {percent(activity.under_3)} have "
        f"fewer than 3 events, {percent(activity.under_5)} fewer than 5."
        + (f" {activity.without_events:,} users have none." if activity.without_events else "")
    )
    per_user = np.diff(data.events.offsets)[1:]
    page.figure(
        plots.histogram(per_user, log=True, bins=24, xlabel="events of a user", ylabel="users"),
        "How active users are. The horizontal scale is logarithmic.",
        f"Histogram of events per user: median {activity.median:,.0f}, most {activity.most:,}",
    )
    least = np.arange(1, min(_LONGEST_SHOWN, activity.most) + 1)
    active = np.sort(per_user[per_user > 0])
    page.figure(
        plots.line(
            least,
            1 - np.searchsorted(active, least) / len(active),
            fill=True,
            percent=True,
            xlabel="number of events",
            ylabel="users with at least as many",
        ),
        "How many users are left if you ask for a number of events.",
        f"Share of users with at least a number of events: {percent(1 - activity.under_5)} have 5 or more",
    )


def _popularity(page: Page, examination: Examination, data: Dataset) -> None:
    popularity = examination.popularity
    page.heading("Items")
    page.text(
        f"{percent(examination.density)} of all pairs of a user and an item have an event. An item that has any has "
        f"{popularity.median:,.0f} events in the median, the most popular {popularity.most:,}. The top 1% of the items "
        f"hold {percent(popularity.top_1_percent)} of the events, the top 10% {percent(popularity.top_10_percent)} "
        f"(Gini coefficient {popularity.gini:.2f}: 0 if all were equally popular, 1 if one had everything). "
        f"{percent(popularity.under_5)} of the items have fewer than 5 events, {popularity.without_events:,} have none."
    )
    descending = np.sort(data.item_counts[1:])[::-1]
    rank = np.arange(1, len(descending) + 1)
    seen = descending > 0
    ranks = np.unique(np.geomspace(1, int(seen.sum()), 200).astype(np.int64)) - 1  # evenly spaced to the eye
    page.figure(
        plots.line(rank[ranks], descending[ranks], log=True, xlabel="item, by popularity", ylabel="events"),
        "How popular items are, from the most popular. Both scales are logarithmic.",
        f"Events per item by rank, from {popularity.most:,} downwards",
    )
    ranks = np.unique(np.linspace(0, len(descending) - 1, 200).astype(np.int64))
    page.figure(
        plots.line(
            np.append(0, rank[ranks] / len(descending)) * 100,
            np.append(0, np.cumsum(descending)[ranks] / examination.n_events),
            fill=True,
            percent=True,
            xlabel="most popular items, % of the catalogue",
            ylabel="share of the events",
        ),
        "How much of what happens falls on how few items.",
        f"Cumulative share of events: the top 10% of the items hold {percent(popularity.top_10_percent)}",
    )
    people, events = data.item_people, data.item_counts
    top = np.argsort(-people[1:], kind="stable")[:_MOST_POPULAR] + 1
    page.table(
        ["item", "people", "share of the people", "events"],
        [
            [data.titles[item], int(people[item]), percent(people[item] / examination.n_users), int(events[item])]
            for item in top
        ],
        caption="The most popular items, by how many people chose them",
    )


def _time(page: Page, examination: Examination, data: Dataset) -> None:
    page.heading("Time and order")
    order, clock = examination.order, examination.clock
    if clock is None or order.ties is None or order.duplicates is None:
        page.text(
            "No event has a time; only the order of a user's events is known. In "
            f"{percent(order.repeats)} of the events a user does again what they did with the item before."
        )
        return
    page.text(
        f"The events run from {clock.start[:16].replace('T', ' ')} to {clock.end[:16].replace('T', ' ')} UTC, over "
        f"{clock.days:,.1f} days, to the {clock.resolution}. The longest time without an event is "
        f"{_duration(clock.longest_gap_days)}; the busiest day is {clock.busiest_day} with "
        f"{percent(clock.busiest_day_share)} of the events. {percent(order.ties)} of a user's neighbouring events have "
        f"the same time, {percent(order.duplicates)} of the events repeat another one, time and all, and in "
        f"{percent(order.repeats)} a user does again what they did with the item before."
    )
    times = data.events.timestamp[data.events.timestamp != 0]
    start, counts, period = _over_time(times)
    page.figure(
        plots.line(start, counts, fill=True, ylabel=f"events per {period}", size=(10.0, 2.7)),
        "Events over time (UTC).",
        f"Events per {period} from {clock.start[:10]} to {clock.end[:10]}",
    )
    if clock.resolution == "day":
        return
    page.figure(
        plots.columns(
            [str(hour) for hour in range(24)],
            np.bincount(times // HOUR % 24, minlength=24) / len(times),
            percent=True,
            xlabel="hour of the day (UTC)",
            ylabel="share of the events",
        ),
        "When in the day things happen.",
        "Share of events by hour of the day",
    )
    if clock.days >= 7:
        weekday = (times // DAY + 3) % 7  # 1 January 1970 was a Thursday
        page.figure(
            plots.columns(
                [name[:2] for name in _WEEKDAYS],
                np.bincount(weekday, minlength=7) / len(times),
                percent=True,
                xlabel="day of the week (UTC)",
                ylabel="share of the events",
            ),
            "On which days things happen.",
            "Share of events by day of the week",
        )


def _values(page: Page, examination: Examination, data: Dataset) -> None:
    page.heading("Behaviours and values")
    page.table(
        ["behaviour", "events", "share"],
        [[name, count, percent(count / examination.n_events)] for name, count in examination.behaviours.items()],
        caption="What people did",
    )
    values = examination.values
    if values is None:
        page.text("Events have no values, such as ratings, amounts or seconds.")
        return
    page.text(
        f"Values run from {values.least:g} to {values.most:g}; the median is {values.median:g}, the mean "
        f"{values.mean:.3g}. {percent(values.missing)} of the events have none."
    )
    for oddity in values.oddities:
        page.text(oddity, tone="warning")
    page.figure(
        plots.histogram(data.events.value, xlabel="value", ylabel="events"),
        "How often values occur.",
        f"Histogram of values, median {values.median:g}",
    )


def _text(page: Page, examination: Examination) -> None:
    text = examination.text
    if text is None:
        return
    page.heading("Text")
    scripts = ", ".join(f"{script} {percent(share)}" for script, share in text.scripts.items() if share >= 0.001)
    page.text(
        f"Read from {', '.join(text.columns)}. {percent(text.readable)} of the items have text"
        + (f", {percent(text.titled)} a title" if text.titled is not None else "")
        + f"; those that have some have {text.words:,.0f} words on average. "
        f"{percent(text.shared_titles)} of the items share their title with another one. Letters: {scripts or 'none'}."
    )


def _leakage(page: Page, examination: Examination) -> None:
    page.heading("Leakage")
    if not examination.suspects:
        page.text("No column looks as if it gave the answer away.", tone="good")
        return
    page.text(
        "A column that knows what people did later makes a model look good in tests and useless in production. These "
        "look like it; leave them out unless you know where they come from."
    )
    page.table(
        ["column", "of", "why"], [[suspect.column, suspect.table, suspect.reason] for suspect in examination.suspects]
    )


def _refused(page: Page, examination: Examination) -> None:
    if examination.refused is None:
        return
    page.heading("Refused rows")
    if not examination.refused:
        page.text("Every row that was read was taken.", tone="good")
        return
    page.table(["reason", "rows", "for example"], examination.refused, caption="Rows that were not taken, and why")


def _over_time(times: np.ndarray) -> tuple[np.ndarray, np.ndarray, str]:
    """Return where each period starts (datetime64), how many events it has, and what a period is called."""
    span = int(times.max() - times.min())
    name, step = next(
        ((name, step) for name, step in (("hour", HOUR), ("day", DAY), ("week", 7 * DAY)) if span / step <= _PERIODS),
        ("four weeks", 28 * DAY),
    )
    period = (times + 3 * DAY) // step  # weeks begin on Mondays
    first = int(period.min())
    counts = np.bincount(period - first)
    start = (np.arange(first, first + len(counts)) * step - 3 * DAY).astype("datetime64[ms]")
    return start, counts, name


def _duration(days: float) -> str:
    if days >= 2:
        return f"{days:,.0f} days"
    return f"{days * 24:,.0f} hours" if days * 24 >= 2 else f"{days * 24 * 60:,.0f} minutes"
