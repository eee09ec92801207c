"""The rules of ``[data.cleaning]`` and ``[data.feedback]``, for events as they come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self

import numpy as np

from poise.config import Config
from poise.data.ingest.feedback import Feedback, Opinion, Opinions
from poise.data.schema.timestamps import moment
from poise.data.schema.value_kinds import ZERO_IS_NOTHING, ValueKind
from poise.durations import DAY
from poise.serve.clock import SYSTEM_CLOCK, Clock
from poise.serve.errors import InvalidRequestError
from poise.store.records import Event
from poise.types import Floats, Indices, Mask, Offsets


@dataclass(frozen=True, slots=True)
class LiveRules:
    """What events say, one by one, by the same rules as files are read by.

    Attributes:
        feedback: which say yes and which say no.
        value_kind: what their values mean; None where that is not known.
        min_value: the smallest value that is fit to learn from; None for no limit.
        earliest: the first moment of events that are fit, in milliseconds since 1970; None for no limit.
        fixed_latest: the last one; None where it is a day from now, or there is no limit.
        until_tomorrow: whether it is a day from now.
        clock: what the time is.
    """

    feedback: Feedback
    value_kind: ValueKind | None
    min_value: float | None
    earliest: int | None
    fixed_latest: int | None
    until_tomorrow: bool
    clock: Clock

    @classmethod
    def of(
        cls,
        config: Config,
        described: Mapping[str, Any],
        learnt: Mapping[str, Any] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> Self:
        """Return the rules of a project.

        Args:
            config: the project's.
            described: what the store remembers of the data that was loaded into it.
            learnt: the rules that the run says live events go by; None if it says none.
            clock: what the time is.
        """
        feedback, kind = config.feedback(), config.data.value_kind or described.get("value_kind")
        if "threshold" not in config.data.feedback:
            found = [told["threshold"] for told in (learnt, described.get("feedback")) if told]
            scale = next((threshold for threshold in found if not isinstance(threshold, str)), None)
            feedback = replace(feedback, threshold="auto" if scale is None else scale)
        cleaning = config.cleaning()
        until_tomorrow = cleaning.latest == "tomorrow"
        return cls(
            feedback,
            kind,
            cleaning.min_value,
            moment(cleaning.earliest),
            None if until_tomorrow else moment(cleaning.latest),
            until_tomorrow,
            clock,
        )

    @property
    def latest(self) -> int | None:
        """The last moment of events that are fit, in milliseconds since 1970; None for no limit."""
        return self.clock.milliseconds() + DAY if self.until_tomorrow else self.fixed_latest

    def check_time(self, moment: int) -> None:
        """Refuse an event at a time, in milliseconds since 1970, that files may not have either.

        Raises:
            InvalidRequestError: it lies before ``earliest`` or after ``latest``.
        """
        latest = self.latest
        if latest is not None and moment > latest:
            limit = "a day from now" if self.until_tomorrow else _day(latest)
            raise InvalidRequestError(f"timestamp: {_day(moment)} is after {limit} (latest in [data.cleaning])")
        if self.earliest is not None and moment < self.earliest:
            limit = _day(self.earliest)
            raise InvalidRequestError(f"timestamp: {_day(moment)} is before {limit} (earliest in [data.cleaning])")

    def judge(self, names: Sequence[str], behaviour: Indices, value: Floats, time: Offsets) -> tuple[Opinions, Mask]:
        """Return what each event says, int8 ``[n]``, and whether its item is hidden for it, bool ``[n]``.

        An event that a rule refuses says nothing, but it was done. A label of 0 says that the item was shown and not
        chosen, which is nothing that the person did.

        Args:
            names: of the behaviours.
            behaviour: int32 ``[n]``, the place of each event's behaviour in ``names``.
            value: float32 ``[n]``; NaN where an event has none.
            time: int64 ``[n]``, milliseconds since 1970; 0 where an event has none.
        """
        present, place = np.unique(behaviour, return_inverse=True)
        opinions = self.feedback.opinions([names[code] for code in present.tolist()], place, value, self.value_kind)
        if self.value_kind in ZERO_IS_NOTHING:
            opinions[(opinions == Opinion.PASSED_OVER) & (value == 0)] = Opinion.NOTHING
        done: Mask = opinions != Opinion.NOTHING
        refused = np.zeros(len(time), dtype=np.bool_)
        if self.min_value is not None:
            refused |= value < self.min_value
        if self.earliest is not None:
            refused |= (time < self.earliest) & (time != 0)  # 0 is what the log has for no time
        if (latest := self.latest) is not None:
            refused |= time > latest
        opinions[refused] = Opinion.NOTHING
        return opinions, done

    def opinions(self, events: Sequence[Event]) -> list[int]:
        """Return what each event says, codes of :class:`~poise.data.ingest.feedback.Opinion`."""
        names = sorted({event.behaviour for event in events})
        opinions, _ = self.judge(
            names,
            np.array([names.index(event.behaviour) for event in events], dtype=np.int32),
            np.array([event.value for event in events], dtype=np.float32),
            np.array([event.time for event in events], dtype=np.int64),
        )
        codes: list[int] = opinions.tolist()
        return codes


def _day(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date().isoformat()
