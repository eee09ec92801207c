"""``poise.toml``: what a project is made of. Every error names the key, what was found and what is allowed."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from annotated_types import Ge, Len
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from poise.data.clean import Cleaning
from poise.data.dataset import Kind
from poise.encoders.text import TextEncoder
from poise.errors import DataError, UsageError, suggest
from poise.models import MODULES
from poise.pipeline import Pipeline
from poise.recommender import Recommender

FILE = "poise.toml"
MODEL_NAMES = [name for name in MODULES if name != "Blend"]  # a blend is what several names make
Made = TypeVar("Made")
_STRICT = ConfigDict(extra="forbid", frozen=True)


class Data(BaseModel):
    """``[data]``: a data set that Poise knows by name, or files.

    Attributes:
        dataset: a name, such as ``movielens-100k``.
        events: a file, folder or pattern, from the project folder on.
        items: the catalogue, the same way.
        users: what is known of users, the same way.
        columns: canonical name to the column's name, for events.
        item_columns: the same for items.
        user_columns: the same for users.
        item_kinds: what columns of the items hold, where the guess is wrong.
        names: what the columns of files without a header are called, by table.
        cleaning: which events are fit to learn from.
    """

    model_config = _STRICT
    dataset: str | None = None
    events: str | None = None
    items: str | None = None
    users: str | None = None
    columns: dict[str, str] = {}
    item_columns: dict[str, str] = {}
    user_columns: dict[str, str] = {}
    item_kinds: dict[str, Kind] = {}
    names: dict[Literal["events", "items", "users"], list[str]] = {}
    cleaning: dict[str, Any] = {}


class PipelineTable(BaseModel):
    """``[pipeline]``: which models recommend.

    Attributes:
        models: one that ranks, or several whose blend does, with weights that validation chooses.
        retrievers: models that bring candidates; none to rank the whole catalogue.
        candidates: how many items each retriever brings.
    """

    model_config = _STRICT
    models: Annotated[list[str], Len(1)] = ["EASE", "ItemKNN", "Popularity", "Content"]
    retrievers: list[str] = []
    candidates: Annotated[int, Ge(1)] = 200


class EvaluationTable(BaseModel):
    """``[evaluation]``: how it is told whether they are good.

    Attributes:
        protocols: how to part the events; the first one chooses models and options.
        k: the numbers of places that figures look at.
        compare: the models that the pipeline is compared with.
        seed: of all draws.
    """

    model_config = _STRICT
    protocols: Annotated[list[Literal["leave-last-out", "global-time"]], Len(1)] = ["leave-last-out", "global-time"]
    k: Annotated[list[Annotated[int, Ge(1)]], Len(1)] = [5, 10, 20]
    compare: list[str] = ["Random", "Popularity", "ItemKNN", "EASE", "ALS", "BPR", "Content"]
    seed: int = 0


class PolicyTable(BaseModel):
    """``[policy]``: what may be shown.

    Attributes:
        hide_seen: whether items that the person already did something with are left out.
    """

    model_config = _STRICT
    hide_seen: bool = True


class FitTable(BaseModel):
    """``[fit]``: how a run is made.

    Attributes:
        refit: whether the pipeline learns from all events, validation and test too, after it was measured.
    """

    model_config = _STRICT
    refit: bool = True


class Config(BaseModel):
    """A project's ``poise.toml``, checked.

    Attributes:
        name: what to call the project in reports.
        data: where events and items come from.
        encoder: the options of :class:`~poise.encoders.TextEncoder`; ``model = "none"`` for no encoder.
        pipeline: which models recommend.
        models: options of models, by name.
        policy: what may be shown.
        evaluation: how it is told whether they are good.
        fit: how a run is made.
    """

    model_config = _STRICT
    name: str = "recommendations"
    data: Data
    encoder: dict[str, Any] = {}
    pipeline: PipelineTable = PipelineTable()
    models: dict[str, dict[str, Any]] = {}
    policy: PolicyTable = PolicyTable()
    evaluation: EvaluationTable = EvaluationTable()
    fit: FitTable = FitTable()

    def cleaning(self) -> Cleaning:
        """Return the rules for events."""
        return _build(Cleaning, self.data.cleaning, "data.cleaning")

    def text_encoder(self) -> TextEncoder | None:
        """Return the encoder of the catalogue's texts; None if the project wants none."""
        if self.encoder.get("model") == "none":
            return None
        return _build(TextEncoder, self.encoder, "encoder")

    def model(self, name: str) -> Recommender:
        """Return an unfitted model, with the project's options."""
        from poise import models

        kind: type[Recommender] = getattr(models, name)
        return _build(kind, self.models.get(name, {}), f"models.{name}")

    def make_pipeline(self, without: frozenset[str] = frozenset()) -> Pipeline:
        """Return the unfitted pipeline; the models in ``without`` are left out of it, as the data does not allow them.

        Raises:
            UsageError: no model is left.
        """
        from poise.models import Blend

        members = [self.model(name) for name in self.pipeline.models if name not in without]
        if not members:
            raise UsageError(
                f"{FILE}: pipeline.models: none of {', '.join(self.pipeline.models)} can learn from this data"
            )
        return Pipeline(
            ranker=members[0] if len(members) == 1 else Blend(members=members),
            retrievers=[self.model(name) for name in self.pipeline.retrievers if name not in without],
            candidates=self.pipeline.candidates,
        )


def read_config(folder: Path) -> Config:
    """Read and check the ``poise.toml`` of a project folder.

    Raises:
        UsageError: there is none, it is no TOML, or a key or value in it is wrong.
    """
    path = folder / FILE
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"there is no {FILE} in {folder.resolve()}: run 'poise init' there, or name the project with --project"
        ) from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from None
    return check_config(content)


def check_config(content: Mapping[str, Any]) -> Config:
    """Check the content of a ``poise.toml``.

    Raises:
        UsageError: a key or value is wrong.
    """
    try:
        config = Config.model_validate(content)
    except ValidationError as error:
        raise UsageError(_explain(error, Config, "")) from None
    if (config.data.dataset is None) == (config.data.events is None):
        raise UsageError(f"{FILE}: [data] needs either dataset, a name that 'poise data list' shows, or events, a file")
    of_files = config.data.model_fields_set - {"dataset"}
    if config.data.dataset is not None and of_files:
        raise UsageError(f"{FILE}: data.{min(of_files)} goes with files of your own: with dataset it does nothing")
    named = {
        "pipeline.models": config.pipeline.models,
        "pipeline.retrievers": config.pipeline.retrievers,
        "evaluation.compare": config.evaluation.compare,
        "models": list(config.models),
    }
    for key, names in named.items():
        for name in names:
            if name not in MODEL_NAMES:
                raise UsageError(
                    f"{FILE}: {key}: found {name!r}, which is no model.{suggest(name, MODEL_NAMES)} "
                    f"Allowed: {', '.join(MODEL_NAMES)}"
                )
    config.cleaning()
    config.text_encoder()
    for name in config.models:
        config.model(name)
    return config


def _build(kind: type[Made], options: Mapping[str, Any], where: str) -> Made:
    """Make a dataclass of a table of the file."""
    try:
        unknown = next((key for key in options if key not in _fields(kind)), None)
        if unknown is not None:
            raise UsageError(_unknown_key(where, unknown, _fields(kind)))
        return TypeAdapter(kind).validate_python(dict(options))
    except ValidationError as error:
        raise UsageError(_explain(error, kind, where)) from None
    except (UsageError, DataError) as error:
        text = str(error)
        raise UsageError(text if text.startswith(FILE) else f"{FILE}: {where}: {text}") from None


def _explain(error: ValidationError, kind: type[Any], where: str) -> str:
    """Say the first thing that is wrong in one line."""
    first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")  # a misspelt key is missing as well
    path = [str(step) for step in first["loc"]]
    key = ".".join([*filter(None, [where]), *path])
    if first["type"] == "extra_forbidden":
        return _unknown_key(".".join([*filter(None, [where]), *path[:-1]]), path[-1], _fields(_kind_at(kind, path)))
    if first["type"] == "missing":
        return f"{FILE}: [{key}] is missing; 'poise init' writes a file to start from"
    message = first["msg"].replace("Input should be ", "").removeprefix("Value error, ")
    return f"{FILE}: {key}: found {first['input']!r}; allowed: {message}"


def _unknown_key(where: str, key: str, allowed: list[str]) -> str:
    table = f"[{where}]" if where else "the file"
    return f"{FILE}: {table} has no key {key!r}.{suggest(key, allowed)} Allowed: {', '.join(allowed)}"


def _kind_at(kind: type[Any], path: list[str]) -> type[Any]:
    """Return the model of the table in which the last step of ``path`` stands."""
    for step in path[:-1]:
        kind = kind.model_fields[step].annotation
    return kind


def _fields(kind: type[Any]) -> list[str]:
    if dataclasses.is_dataclass(kind):
        return [one.name for one in dataclasses.fields(kind)]
    return list(kind.model_fields)
