"""What the values of a column look like: times, numbers, words, addresses, codes, numbers of rows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from poise.data.roles.words import is_behaviour
from poise.data.schema.column_types import filled, to_numbers
from poise.data.schema.timestamps import looks_like_times, to_milliseconds
from poise.data.schema.truth_words import LABELS
from poise.errors import DataError

_SAMPLE = 2_000  # values, evenly spaced, that tell what a column looks like
_MOST = 0.9  # share of the values that must look like something
_FEW = 40  # behaviours, at most
_EMAIL = r"^[^@\s]+@[^@\s]+\.[A-Za-z]{2,}$"
_LINK = r"^(?:https?://|www\.)\S+$"
_EARLIEST, _LATEST = 631_152_000_000, 2_208_988_800_000  # 1990 to 2040, in milliseconds since 1970


@dataclass(frozen=True)
class Look:
    """What a column looks like; all shares are of the cells that hold something.

    Attributes:
        column: the values.
    """

    column: pl.Series

    @cached_property
    def filled(self) -> float:
        """The share of cells that hold something."""
        cells = self.column.gather_every(self._step)
        return float(filled(cells).mean() or 0.0) if len(cells) else 0.0  # type: ignore[arg-type]

    @cached_property
    def held(self) -> pl.Series:
        """Cells from all over the column that hold something: all of a short column."""
        cells = self.column.gather_every(self._step)
        held = cells.filter(filled(cells))
        return held if self._step == 1 or len(held) >= _SAMPLE // 4 else self.column.filter(filled(self.column))

    @property
    def _step(self) -> int:
        """The distance between the cells that are looked at, so that a log of millions does not take longer."""
        return max(1, len(self.column) // (10 * _SAMPLE))

    @cached_property
    def n_unique(self) -> int:
        """How many different values there are."""
        return self.column.n_unique() if not self.column.dtype.is_nested() else len(self.column)

    @cached_property
    def texts(self) -> pl.Series:
        """A sample of the values as text, those that hold something."""
        column = self.column
        if column.dtype.is_nested():
            return pl.Series(column.name, [], dtype=pl.String)
        return self.held.gather_every(max(1, len(self.held) // _SAMPLE)).cast(pl.String).str.strip_chars()

    @cached_property
    def numbers(self) -> pl.Series:
        """The sample as numbers, null where a value is none."""
        return to_numbers(self.texts)

    @cached_property
    def number_share(self) -> float:
        """The share of numbers."""
        return self._share(self.numbers.is_not_null())

    @cached_property
    def is_number(self) -> bool:
        """Whether nearly all values are numbers."""
        return self.number_share >= _MOST

    @cached_property
    def is_fraction(self) -> bool:
        """Whether these are numbers, some of which are not whole."""
        numbers = self.numbers.drop_nulls()
        return self.is_number and bool((numbers % 1 != 0).any())

    @cached_property
    def is_email(self) -> bool:
        """Whether these are addresses of electronic mail."""
        return self._share(self.texts.str.contains(_EMAIL)) >= _MOST

    @cached_property
    def is_link(self) -> bool:
        """Whether these are addresses of pages or pictures."""
        return self._share(self.texts.str.contains(_LINK)) >= _MOST

    @cached_property
    def notation(self) -> str | None:
        """How moments are written, in words; None if nearly all values are no moments that a log may hold."""
        if self.column.dtype.is_nested():
            return None
        return looks_like_times(self.held)

    @cached_property
    def is_time(self) -> bool:
        """Whether nearly all values are moments that a log may hold."""
        return self.notation is not None

    @cached_property
    def times(self) -> float:
        """The share of moments that a log may hold."""
        if self.is_time:
            return 1.0
        try:
            moments = to_milliseconds(self.texts)
        except DataError:  # the day or the month comes first: these are moments, however they are read
            return 1.0
        return self._share(moments.is_between(_EARLIEST, _LATEST).fill_null(False))

    @cached_property
    def is_date(self) -> bool:
        """Whether these are moments written as dates, not as numbers."""
        return self.is_time and not self.is_number

    @cached_property
    def is_row_number(self) -> bool:
        """Whether it counts the rows: a whole number, one more in each row."""
        if len(self.column) < 5 or self.column.dtype.is_nested():
            return False
        for part in (self.column.head(100), self.column):  # the first rows tell of nearly all columns that they do not
            numbers = to_numbers(part)
            if numbers.null_count() or not (numbers.diff().drop_nulls() == 1).all():
                return False
        return True

    @cached_property
    def behaviours(self) -> float:
        """The share of the different values that are usual names of behaviours; 0 if there are more than forty."""
        if self.n_unique > _FEW or self.is_number:
            return 0.0
        values = self.texts.unique().to_list()
        return sum(map(is_behaviour, values)) / len(values) if values else 0.0

    @cached_property
    def is_few(self) -> bool:
        """Whether the same few values come again and again."""
        return self.n_unique <= _FEW and (self.n_unique < max(len(self.column) / 2, 2) or len(self.column) < 12)

    @cached_property
    def is_label(self) -> bool:
        """Whether each value is one of two: 0 and 1, -1 and 1, true and false, yes and no in some language."""
        if self.column.dtype == pl.Boolean:
            return True
        values = set(self.texts.str.strip_chars().str.to_lowercase().str.replace(r"\.0+$", "").unique().to_list())
        return 0 < len(values) <= 3 and values <= LABELS.keys()

    @cached_property
    def words(self) -> float:
        """How many words a value has on average."""
        return float(self.texts.str.count_matches(r"\S+").mean() or 0.0)  # type: ignore[arg-type]

    @cached_property
    def are_words(self) -> bool:
        """Whether these are words of a language rather than codes: letters, hardly a digit, no long unbroken runs."""
        word = r"^[\p{L}\p{M}][\p{L}\p{M}'’&.,()/+%\- ]*[\p{L}\p{M}).!]?$"
        long_run = r"[\p{Latin}\p{Cyrillic}]{25}"
        texts = self.texts
        good = texts.str.contains(word) & (texts.str.len_chars() >= 2) & ~texts.str.contains(long_run)
        return self._share(good) >= 0.8 and float(texts.str.len_chars().mean() or 0) > 2.5  # type: ignore[arg-type]

    def _share(self, true: pl.Series) -> float:
        return float(true.mean() or 0.0) if len(true) else 0.0  # type: ignore[arg-type]


def looks_like(look: Look) -> str | None:
    """Return what the values of a column look like, in words; None where that says nothing."""
    if look.filled == 0:
        return "is empty"
    kinds = (
        (look.is_row_number, "counts the rows"),
        (look.is_email, "looks like addresses of e-mail"),
        (look.is_link, "looks like links"),
        (look.is_time, "looks like a time"),
        (look.n_unique == 1 and len(look.column) > 1, "is always the same"),
        (look.behaviours >= 0.5, "looks like behaviours"),
        (look.is_label, "looks like yes and no"),
        (look.is_number, "looks like numbers"),
        (re.search(r"^[\[{]", look.texts[0] if len(look.texts) else "") is not None, "looks like lists or objects"),
        (look.words >= 5, "looks like texts"),
        (look.is_few, "looks like categories"),
    )
    return next((words for is_so, words in kinds if is_so), None)
