"""Who likes what: one model, one file. Models are imported when they are first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from poise.models.als import ALS as ALS
    from poise.models.bert4rec import BERT4Rec as BERT4Rec
    from poise.models.blend import Blend as Blend
    from poise.models.bpr import BPR as BPR
    from poise.models.content import Content as Content
    from poise.models.ease import EASE as EASE
    from poise.models.gru4rec import GRU4Rec as GRU4Rec
    from poise.models.hstu import HSTU as HSTU
    from poise.models.item_knn import ItemKNN as ItemKNN
    from poise.models.popularity import Popularity as Popularity
    from poise.models.random import Random as Random
    from poise.models.sasrec import SASRec as SASRec
    from poise.models.two_tower import TwoTower as TwoTower

MODULES = {
    "Random": "random",
    "Popularity": "popularity",
    "ItemKNN": "item_knn",
    "EASE": "ease",
    "ALS": "als",
    "BPR": "bpr",
    "Content": "content",
    "TwoTower": "two_tower",
    "GRU4Rec": "gru4rec",
    "BERT4Rec": "bert4rec",
    "HSTU": "hstu",
    "SASRec": "sasrec",
    "Blend": "blend",
}
"""The module of each model, from the simplest to the best."""

__all__ = list(MODULES)


def __getattr__(name: str) -> Any:
    if name not in MODULES:
        raise AttributeError(f"module 'poise.models' has no model {name!r}; there are {', '.join(MODULES)}")
    return getattr(import_module(f"poise.models.{MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
