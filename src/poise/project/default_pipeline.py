"""The pipeline that a ``poise.toml`` with nothing but data in it has, in one line of Python."""

from __future__ import annotations

from dataclasses import fields

from pydantic.dataclasses import dataclass

from poise.config import Config
from poise.config.tables import Data, PolicyTable
from poise.data.dataset import Dataset
from poise.data.doctor.rebuys import find_rebuys
from poise.data.holdout import Holdout
from poise.encoders.text import TextEncoder
from poise.options.fit_options import FitOptions
from poise.pipeline import Pipeline
from poise.project.catalogue_vectors import Say, silent, with_vectors
from poise.recommender import OPTIONS


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class EncodingPipeline(Pipeline):
    """A pipeline that encodes the texts of the catalogue itself, where the data that it is given has no vectors.

    Args:
        encoder: the ``model`` of the :class:`~poise.encoders.TextEncoder` that does it.
    """

    encoder: str = "minilm"

    def _encoded(self, data: Dataset) -> Dataset:
        encoder = TextEncoder(model=self.encoder)
        return data if encoder.name in data.vectors else with_vectors(data, encoder)

    def _fit(self, data: Dataset, valid: Holdout | None, options: FitOptions) -> None:
        super()._fit(self._encoded(data), valid, options)

    def _refit(self, data: Dataset, options: FitOptions) -> None:
        super()._refit(self._encoded(data), options)

    def _update(self, data: Dataset, valid: Holdout | None, options: FitOptions) -> None:
        super()._update(self._encoded(data), valid, options)

    def _grow(self, data: Dataset) -> None:
        super()._grow(self._encoded(data))


def default_pipeline(data: Dataset, *, say: Say = silent) -> Pipeline:
    """Return the unfitted pipeline that ``poise init`` and ``poise fit`` make of such data.

    It blends the default models that can learn from the data, encodes the texts of the catalogue when it is fitted,
    hides what somebody had unless people come back to the same things, and gives room to new items.

    Args:
        data: what it is for: all events, or the training part of a split. Texts are encoded here, and kept in the
            encoder's cache.
        say: called with lines about what was left out and why.

    Returns:
        a pipeline to call ``fit(split.train, split.valid)`` of, or ``fit(data)``.

    Raises:
        PoiseError: the encoder cannot be had.
    """
    encoder = TextEncoder()
    if data.items.width and encoder.fits_items(data) is not None:
        encoder = TextEncoder(model="multilingual")
    encoded = data if encoder.name in data.vectors else with_vectors(data, encoder, say)
    config = Config(data=Data(), policy=PolicyTable(hide_seen=find_rebuys(data).hide_seen))
    plain = config.make_pipeline(frozenset(config.unsupported_models(encoded, config.pipeline.models, say)))
    options = {option.name: getattr(plain, option.name) for option in fields(plain)}
    return EncodingPipeline(**options, encoder=encoder.model)
