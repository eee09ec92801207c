from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from poise._version import __version__
from poise.config import parse_config
from poise.data.dataset import Dataset
from poise.data.find_items import find_items, find_list
from poise.data.ingest.feedback import Feedback
from poise.data.queries import Queries
from poise.data.schema.value_kinds import ValueKind
from poise.encoders.text import TextEncoder
from poise.errors import DataError
from poise.files import read_json
from poise.pipeline import Pipeline
from poise.recommender import load
from poise.types import Offsets

FORMAT = 1
ENCODER = "encoder"  # the folder of a run with the encoder that was tuned for it


@dataclass(frozen=True)
class Run:
    """A fitted pipeline with its config, metrics and metadata: loadable by itself, years later.

    Attributes:
        path: its folder: ``run.json``, ``config.toml``, ``metrics.json``, ``report.html``, ``catalogue.arrow``,
            ``pipeline/`` and, if one was tuned, ``encoder/``.
        metadata: the content of ``run.json``.
    """

    path: Path
    metadata: dict[str, Any]

    @classmethod
    def open(cls, path: Path) -> Run:
        """Open the run in a folder.

        Raises:
            DataError: it is damaged, or was made by a newer version of Poise.
        """
        metadata = read_json(path / "run.json")
        if not isinstance(metadata, dict) or "format" not in metadata:
            raise DataError(f"the run {path.name} is damaged: run.json does not describe a run; fit again")
        for part in ("catalogue.arrow", "pipeline/model.json"):
            if metadata["format"] <= FORMAT and not (path / part).is_file():
                raise DataError(f"the run {path.name} is damaged: {part} is missing; fit again")
        if metadata["format"] > FORMAT:
            raise DataError(
                f"the run {path.name} was made by Poise {metadata.get('poise')}, newer than this {__version__}: "
                "upgrade Poise, or fit again"
            )
        return cls(path, metadata)

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.path.name

    @cached_property
    def pipeline(self) -> Pipeline:
        """The fitted pipeline.

        Raises:
            DataError: it is damaged.
        """
        pipeline = load(self.path / "pipeline")
        if not isinstance(pipeline, Pipeline):
            raise DataError(f"the run in {self.path} holds a {pipeline.name}, not a pipeline: fit it again")
        if pipeline.item_events is None:  # the version of Poise that fitted it kept them here alone
            pipeline.item_events = self.item_counts
        return pipeline

    @cached_property
    def encoder(self) -> TextEncoder | None:
        """The encoder of the items' vectors, the tuned one if that was better; None if there was none.

        Raises:
            DataError: the run is damaged.
        """
        try:
            config = parse_config(tomllib.loads((self.path / "config.toml").read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise DataError(f"the run {self.name} is damaged ({error}); fit again") from error
        encoder = config.text_encoder()
        if encoder is None or not (self.metadata.get("encoder") or {}).get("tuned"):
            return encoder
        if not (self.path / ENCODER).is_dir():
            raise DataError(f"the run {self.name} is damaged: {ENCODER}/ is missing; fit again")
        return replace(encoder, model=str(self.path / ENCODER))

    def encoded(self, data: Dataset) -> Dataset:
        """Return a data set with the vectors that the pipeline reads, of the run's own encoder.

        Vectors are cached. Without an encoder or without texts, the data stay as they are.

        Raises:
            DataError: the run is damaged.
        """
        encoder = self.encoder
        if encoder is None or not data.items.width:
            return data
        try:
            return encoder.encode_items(data)
        except DataError:  # there are no texts: a pipeline that was made of such data reads none
            return data

    @property
    def until(self) -> int | None:
        """The time of the newest event that it was trained on; None for a run of a version that did not record it."""
        until: int | None = self.metadata["data"].get("until")
        return until

    @property
    def feedback(self) -> Feedback:
        """By which rules live events say yes or no; those of names alone for a run that did not record them."""
        return Feedback(**self.metadata.get("feedback") or {})

    @property
    def value_kind(self) -> ValueKind | None:
        """What the values of events mean."""
        kind: ValueKind | None = self.metadata.get("value_kind")
        return kind

    @cached_property
    def _catalogue(self) -> pl.DataFrame:
        try:
            return pl.read_ipc(self.path / "catalogue.arrow")
        except (OSError, pl.exceptions.PolarsError) as error:
            raise DataError(f"the run {self.name} is damaged ({error}); fit again") from error

    @property
    def titles(self) -> list[str]:
        """The title of each item, by index; an empty string for padding."""
        return ["", *self._catalogue["title"].to_list()]

    @property
    def item_counts(self) -> Offsets:
        """How many events each item had, int64 ``[n_items + 1]``."""
        return np.concatenate([[0], self._catalogue["events"].to_numpy()])

    @property
    def item_people(self) -> Offsets:
        """How many people chose each item, int64 ``[n_items + 1]``; how many events it had, in runs of before."""
        column = "people" if "people" in self._catalogue.columns else "events"
        return np.concatenate([[0], self._catalogue[column].to_numpy()])

    def find(self, line: str) -> list[int]:
        """Return the items that a line of ids or titles with commas or semicolons between them names, in order.

        Raises:
            UnknownIdError: a part fits no item, or several.
        """
        return find_list(line, self.pipeline.item_ids, self.titles, self.item_counts)

    def find_one(self, word: str) -> int:
        """Return the item with an id or a title.

        Raises:
            UnknownIdError: no item fits, or several.
        """
        return find_items([word], self.pipeline.item_ids, self.titles, self.item_counts)[0]

    def queries(self, histories: list[list[int]], *, hide_seen: bool = True) -> Queries:
        """Return the requests of anonymous users by their histories: item indices, oldest first."""
        return Queries.from_histories(histories, self.pipeline.item_ids, hide_seen=hide_seen)


def write_catalogue(data: Dataset, folder: Path) -> None:
    """Write id, title, number of events and of people of each item to ``catalogue.arrow``."""
    pl.DataFrame(
        {
            "item_id": data.item_ids.series,
            "title": data.titles[1:],
            "events": data.item_counts[1:],
            "people": data.item_people[1:],
        }
    ).write_ipc(folder / "catalogue.arrow", compression="uncompressed")
