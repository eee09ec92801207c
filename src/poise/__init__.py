"""From a log of what people did and a catalogue to live, personal recommendations."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from poise._version import __version__

if TYPE_CHECKING:
    from poise import encoders as encoders
    from poise import models as models
    from poise.data import split as split
    from poise.data.dataset import Dataset as Dataset
    from poise.data.impressions_frame import impressions_frame as impressions_frame
    from poise.data.ingest.build import build_dataset as build_dataset
    from poise.data.ingest.build import load_files as load_files
    from poise.data.ingest.clean import Cleaning as Cleaning
    from poise.data.ingest.feedback import Feedback as Feedback
    from poise.data.queries import Queries as Queries
    from poise.data.storage import open_dataset as open_dataset
    from poise.data.storage import save_dataset as save_dataset
    from poise.datasets.registry import load as load
    from poise.encoders.text import TextEncoder as TextEncoder
    from poise.errors import PoiseError as PoiseError
    from poise.evaluation import cross_validate as cross_validate
    from poise.evaluation import evaluate as evaluate
    from poise.evaluation import write_report as write_report
    from poise.options.fit_options import FitOptions as FitOptions
    from poise.pipeline import Pipeline as Pipeline
    from poise.project import Project as Project
    from poise.project.default_pipeline import default_pipeline as default_pipeline
    from poise.recommender import Recommender as Recommender

# What is public, and where it lives: imported when it is first asked for, so that ``import poise`` is quick.
_HOMES = {
    "Cleaning": "poise.data.ingest.clean:Cleaning",
    "Dataset": "poise.data.ingest.build:Dataset",  # where Dataset.from_frames is set
    "Feedback": "poise.data.ingest.feedback:Feedback",
    "FitOptions": "poise.options.fit_options:FitOptions",
    "Pipeline": "poise.pipeline:Pipeline",
    "PoiseError": "poise.errors:PoiseError",
    "Project": "poise.project:Project",
    "Queries": "poise.data.queries:Queries",
    "Recommender": "poise.recommender:Recommender",
    "TextEncoder": "poise.encoders.text:TextEncoder",
    "build_dataset": "poise.data.ingest.build:build_dataset",
    "cross_validate": "poise.evaluation:cross_validate",
    "default_pipeline": "poise.project.default_pipeline:default_pipeline",
    "encoders": "poise.encoders",
    "evaluate": "poise.evaluation:evaluate",
    "impressions_frame": "poise.data.impressions_frame:impressions_frame",
    "load": "poise.datasets.registry:load",
    "load_files": "poise.data.ingest.build:load_files",
    "load_model": "poise.recommender:load",
    "models": "poise.models",
    "open_dataset": "poise.data.storage:open_dataset",
    "save_dataset": "poise.data.storage:save_dataset",
    "split": "poise.data.split",
    "write_report": "poise.evaluation:write_report",
}

__all__ = ["__version__", *_HOMES]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'poise' has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    home = import_module(module)
    return getattr(home, attribute) if attribute else home


def __dir__() -> list[str]:
    return sorted(__all__)
