"""Who likes what: one model, one file. Models, those of other packages too, are imported when first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from poise.plugins import MODELS, entry_points_of, load_entry_point

if TYPE_CHECKING:
    from poise.models.baselines.content import Content as Content
    from poise.models.baselines.popularity import Popularity as Popularity
    from poise.models.baselines.random import Random as Random
    from poise.models.baselines.repeat_consumption import RepeatConsumption as RepeatConsumption
    from poise.models.blend.blend import Blend as Blend
    from poise.models.factorisation.als import ALS as ALS
    from poise.models.factorisation.bpr import BPR as BPR
    from poise.models.linear.ease import EASE as EASE
    from poise.models.linear.item_knn import ItemKNN as ItemKNN
    from poise.models.sequential.bert4rec import BERT4Rec as BERT4Rec
    from poise.models.sequential.gru4rec import GRU4Rec as GRU4Rec
    from poise.models.sequential.hstu import HSTU as HSTU
    from poise.models.sequential.sasrec import SASRec as SASRec
    from poise.models.two_tower.two_tower import TwoTower as TwoTower

MODULES = {
    "Random": "baselines.random",
    "Popularity": "baselines.popularity",
    "RepeatConsumption": "baselines.repeat_consumption",
    "ItemKNN": "linear.item_knn",
    "EASE": "linear.ease",
    "ALS": "factorisation.als",
    "BPR": "factorisation.bpr",
    "Content": "baselines.content",
    "TwoTower": "two_tower.two_tower",
    "GRU4Rec": "sequential.gru4rec",
    "BERT4Rec": "sequential.bert4rec",
    "HSTU": "sequential.hstu",
    "SASRec": "sequential.sasrec",
    "Blend": "blend.blend",
}
"""The module of each model of Poise's own, from the simplest to the best."""

__all__ = list(MODULES)


def model_names() -> list[str]:
    """Return the names of the models that can stand in ``poise.toml``: a blend is what several names make."""
    return [name for name in dict.fromkeys([*MODULES, *entry_points_of(MODELS)]) if name != "Blend"]


def __getattr__(name: str) -> Any:
    if name in MODULES:
        return getattr(import_module(f"poise.models.{MODULES[name]}"), name)
    if name not in entry_points_of(MODELS):
        raise AttributeError(f"module 'poise.models' has no model {name!r}; there are {', '.join(MODULES)}")
    return load_entry_point(MODELS, name)


def __dir__() -> list[str]:
    return __all__
