"""What the texts of a catalogue mean, for models to learn from."""

from __future__ import annotations

from collections.abc import Callable

from poise.data.dataset import Dataset
from poise.encoders.text import TextEncoder
from poise.errors import DataError

Say = Callable[[str], None]
"""Takes a line about progress."""


def silent(line: str) -> None:
    """Ignore a line."""


def with_vectors(data: Dataset, encoder: TextEncoder, say: Say = silent) -> Dataset:
    """Return the data with the vectors of the catalogue's texts, or as it is where there are no texts.

    Args:
        data: with a catalogue.
        encoder: that reads it.
        say: called with what is done, and why where nothing is.
    """
    if not data.items.width:
        say("the catalogue has no texts: recommending by behaviour alone")
        return data
    say(f"encoding {data.n_items:,} items with {encoder.model}")
    try:
        encoded = encoder.encode_items(data)
    except DataError as error:
        say(f"{error}: recommending by behaviour alone")
        return data
    if (warning := encoder.fits_items(data)) is not None:
        say(f"warning: {warning}")
    return encoded
