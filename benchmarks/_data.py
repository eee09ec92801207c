"""The data sets that figures are reported on, each parted as published tables do."""

from __future__ import annotations

from pathlib import Path

from poise.data.dataset import Dataset
from poise.data.ingest.build import load_files
from poise.data.ingest.k_core import k_core
from poise.datasets.registry import load
from poise.encoders import TextEncoder

NAMES = ("amazon-beauty", "movielens-100k", "movielens-1m")
_BEAUTY = Path(__file__).resolve().parents[2] / "shared" / "data" / "amazon-beauty"


def encoded(name: str, beauty: Path | None = None) -> Dataset:
    """Return a data set with text vectors: MovieLens 100K as its 5-core, the others whole.

    Args:
        name: one of ``NAMES``.
        beauty: the folder with ``sequences.txt`` and ``items.jsonl``, which may not be redistributed.
    """
    if name == "amazon-beauty":
        folder = beauty or _BEAUTY
        data = load_files(folder / "sequences.txt", folder / "items.jsonl", name=name)
    else:
        data = load(name)
    if name == "movielens-100k":
        data = k_core(data, 5)
    return TextEncoder().encode_items(data)
