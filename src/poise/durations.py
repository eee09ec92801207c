"""Lengths of time, in milliseconds: what timestamps of events are counted in."""

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
