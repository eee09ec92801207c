"""``poise.toml``: what a project is made of. Every error names the key, what was found and what is allowed."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from poise.adaptation.adapt import Adaptation
from poise.config.tables import (
    Data,
    EvaluationTable,
    FitTable,
    PipelineTable,
    PolicyTable,
    ServeTable,
    TuneTable,
)
from poise.data.dataset import Dataset
from poise.data.ingest.clean import Cleaning
from poise.data.ingest.feedback import Feedback
from poise.encoders.text import TextEncoder
from poise.errors import DataError, UsageError, suggest
from poise.models import model_names
from poise.options.search_space import Range, Space
from poise.pipeline import Pipeline
from poise.policy import ColdStartBoost, ExploreUnknown, HideSeen, PolicyStep
from poise.policy.step import make_step
from poise.recommender import Recommender

FILE = "poise.toml"
Made = TypeVar("Made")


class Config(BaseModel):
    """A project's ``poise.toml``, checked.

    Attributes:
        name: what to call the project in reports.
        data: where events and items come from.
        encoder: the options of :class:`~poise.encoders.TextEncoder`; ``model = "none"`` for no encoder.
        adaptation: the options of :class:`~poise.adaptation.Adaptation`; None to use the encoder as it is.
        pipeline: which models recommend.
        models: options of models, by name.
        policy: what may be shown.
        evaluation: how they are evaluated.
        fit: how a run is made.
        tune: how better options of a model are looked for.
        serve: how recommendations are served.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = "recommendations"
    data: Data
    encoder: dict[str, Any] = {}
    adaptation: dict[str, Any] | None = None
    pipeline: PipelineTable = PipelineTable()
    models: dict[str, dict[str, Any]] = {}
    policy: PolicyTable = PolicyTable()
    evaluation: EvaluationTable = EvaluationTable()
    fit: FitTable = FitTable()
    tune: TuneTable = TuneTable()
    serve: ServeTable = ServeTable()

    def cleaning(self) -> Cleaning:
        """Return the rules for events.

        A data set that Poise knows by name is taken as it is published; of what comes live only impossible times are
        refused.
        """
        as_published = {"duplicates": False, "bots": False} if self.data.dataset is not None else {}
        return _build(Cleaning, {**as_published, **self.data.cleaning}, "data.cleaning")

    def feedback(self) -> Feedback:
        """Return which events say yes and which say no.

        Every rating of a data set that Poise knows by name is a yes, unless the project says otherwise: that is what
        published figures rest on.
        """
        default = {} if self.data.dataset is None else {"threshold": "none"}
        return _build(Feedback, {**default, **self.data.feedback}, "data.feedback")

    def text_encoder(self) -> TextEncoder | None:
        """Return the encoder of the catalogue's texts; None if the project wants none."""
        if self.encoder.get("model") == "none":
            return None
        return _build(TextEncoder, self.encoder, "encoder")

    def encoder_adaptation(self) -> Adaptation | None:
        """Return how the encoder is tuned; None if the project wants it as it is."""
        return None if self.adaptation is None else _build(Adaptation, self.adaptation, "adaptation")

    def model(self, name: str) -> Recommender:
        """Return an unfitted model, with the project's options.

        Raises:
            UsageError: an option is wrong, or the package that has the model is broken.
        """
        from poise import models

        kind: type[Recommender] = getattr(models, name)
        if not (isinstance(kind, type) and issubclass(kind, Recommender)):
            raise UsageError(f"{FILE}: {name!r} is no model: the package that declares it gives {kind!r}")
        return _build(kind, self.models.get(name, {}), f"models.{name}")

    def unsupported_models(
        self, data: Dataset, names: Sequence[str], say: Callable[[str], None], asked_for: Collection[str] = ()
    ) -> set[str]:
        """Return those of the named models that cannot learn from ``data``, and say of each why.

        A sequence model is one of them where most events have no time, unless ``poise.toml`` names it under
        ``[pipeline]`` or it is among those ``asked_for``.
        """
        unsupported = set()
        named = {*asked_for, *(self.pipeline.models if "models" in self.pipeline.model_fields_set else ())}
        for name in dict.fromkeys(names):
            model = self.model(name)
            reason = model.unsupported_reason(data)
            if reason is None and model.for_seen and self.policy.hide_seen:
                reason = "hide_seen = true hides what people come back to"
            if reason is None and not data.events.is_ordered and name not in named and self._reads_order(name):
                reason = "it learns what follows on what, and most events have no time"
            if reason is not None:
                say(f"leaving out {name}: {reason}")
                unsupported.add(name)
        return unsupported

    def _reads_order(self, name: str) -> bool:
        from poise.models.sequential.sequence_model import SequenceModel

        return isinstance(self.model(name), SequenceModel)

    def check_models(self) -> None:
        """Check the options of models and of policy steps; it imports them.

        Raises:
            UsageError: a key or value is wrong.
        """
        for name in self.models:
            self.model(name)
        self.tune_space()
        self.make_policy()

    def tuned_model(self) -> str:
        """Return the name of the model that ``[tune]`` is about."""
        return self.tune.model or self.pipeline.models[0]

    def tune_space(self) -> Space:
        """Return the ``space`` of ``[tune]``, its values as the model takes them; empty if none is given.

        Raises:
            UsageError: the model has no such option, or does not take such a value.
        """
        from poise import models

        name = self.tuned_model()
        options: dict[str, FieldInfo] = getattr(models, name).__pydantic_fields__
        space: Space = {}
        for option, given in self.tune.space.items():
            where = f"tune.space.{option}"
            if option not in options:
                raise UsageError(
                    f"{FILE}: tune.space: {name} has no option {option!r}.{suggest(option, list(options))} "
                    f"Allowed: {', '.join(options)}"
                )
            if isinstance(given, list):
                space[option] = _choices(options[option], given, where)
            elif isinstance(given, dict):
                space[option] = _range(options[option], _build(Range, given, where), where)
            else:
                raise UsageError(
                    f"{FILE}: {where}: found {given!r}; allowed: a list of choices, or a range such as "
                    "{low = 1, high = 10}"
                )
            if self.tune.search == "grid" and _is_continuous(space[option]):
                raise UsageError(
                    f"{FILE}: {where}: found a range without steps, and search = 'grid' tries every value; "
                    "allowed: a list of choices, or a range with step"
                )
        return space

    def make_pipeline(
        self, without: frozenset[str] = frozenset(), fitted: Mapping[str, Recommender] | None = None
    ) -> Pipeline:
        """Return the unfitted pipeline.

        Args:
            without: models that are left out of it, as the data does not allow them.
            fitted: models by name that are taken as they are, so that they are not fitted twice.

        Raises:
            UsageError: no model is left.
        """
        made = fitted or {}
        from poise.models import Blend

        members = [made.get(name) or self.model(name) for name in self.pipeline.models if name not in without]
        if not members:
            raise UsageError(
                f"{FILE}: pipeline.models: none of {', '.join(self.pipeline.models)} can learn from this data"
            )
        return Pipeline(
            ranker=members[0] if len(members) == 1 else Blend(members=members),
            retrievers=[made.get(name) or self.model(name) for name in self.pipeline.retrievers if name not in without],
            candidates=self.pipeline.candidates,
            policy=self.make_policy(),
        )

    def make_policy(self) -> list[PolicyStep]:
        """Return the steps of the policy, in the order in which they decide.

        Raises:
            UsageError: there is no such step, or it does not take the options.
        """
        table = self.policy
        if unused := sorted(set(table.options) - set(table.steps)):
            raise UsageError(f"{FILE}: policy.options.{unused[0]}: the step is not among policy.steps")
        steps: list[PolicyStep] = [HideSeen()] if table.hide_seen else []
        steps.append(ColdStartBoost(boost=table.cold_start_boost))
        for name in table.steps:
            try:
                steps.append(make_step(name, table.options.get(name, {})))
            except UsageError as error:
                raise UsageError(f"{FILE}: policy.steps: {error}") from None
        return [*steps, ExploreUnknown(rate=table.exploration_rate)]


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
    return parse_config(content)


def check_config(content: Mapping[str, Any]) -> Config:
    """Check the content of a ``poise.toml``, the options of models included, which imports the models.

    Raises:
        UsageError: a key or value is wrong.
    """
    config = parse_config(content)
    config.check_models()
    return config


def parse_config(content: Mapping[str, Any]) -> Config:
    """Check the content of a ``poise.toml``, without the options of models: :meth:`Config.check_models` does that.

    Raises:
        UsageError: a key or value is wrong.
    """
    try:
        config = Config.model_validate(content)
    except ValidationError as error:
        raise UsageError(_explain(error, Config, "")) from None
    if (config.data.dataset is None) == (config.data.events is None):
        raise UsageError(f"{FILE}: [data] needs either dataset, a name that 'poise data list' shows, or events, a file")
    of_files = config.data.model_fields_set - {"dataset", "feedback"}
    if config.data.dataset is not None and of_files:
        raise UsageError(f"{FILE}: data.{min(of_files)} goes with files of your own: with dataset it does nothing")
    named = {
        "pipeline.models": config.pipeline.models,
        "pipeline.retrievers": config.pipeline.retrievers,
        "evaluation.compare": config.evaluation.compare,
        "models": list(config.models),
        "tune.model": [] if config.tune.model is None else [config.tune.model],
    }
    for key, names in named.items():
        for name in names:
            if name not in model_names():
                raise UsageError(
                    f"{FILE}: {key}: found {name!r}, which is no model.{suggest(name, model_names())} "
                    f"Allowed: {', '.join(model_names())}"
                )
    config.cleaning()
    config.feedback()
    config.text_encoder()
    config.encoder_adaptation()
    return config


def _choices(field: FieldInfo, given: list[Any], where: str) -> list[Any]:
    """Return the choices as the option takes them."""
    if not given:
        raise UsageError(f"{FILE}: {where}: found no choices; allowed: a list with at least one")
    choices = [_option_value(field, value, f"{where}.{place}") for place, value in enumerate(given)]
    twice = next((value for place, value in enumerate(choices) if value in choices[:place]), None)
    if twice is not None:
        raise UsageError(f"{FILE}: {where}: found {twice!r} twice; allowed: each choice once")
    return choices


def _range(field: FieldInfo, given: Range, where: str) -> Range:
    """Return the range, checked; its ends are what the option makes of them, whole numbers if it takes only these."""
    low = _option_value(field, given.low, f"{where}.low")
    high = _option_value(field, given.high, f"{where}.high")
    if isinstance(low, bool) or not isinstance(low, int | float):
        raise UsageError(f"{FILE}: {where}: found a range; allowed: a list of choices, as the option is no number")
    if low >= high:
        raise UsageError(f"{FILE}: {where}: found low = {low}, high = {high}; allowed: low below high")
    if given.log and (low <= 0 or given.step is not None):
        said = f"low = {low}" if low <= 0 else f"step = {given.step}"
        raise UsageError(f"{FILE}: {where}: found {said} with log; allowed: low above 0, and no step")
    if given.step is not None and (given.step > high - low or (isinstance(low, int) and given.step % 1)):
        kind = "a whole number" if isinstance(low, int) else "a number"
        raise UsageError(f"{FILE}: {where}.step: found {given.step}; allowed: {kind}, at most high - low")
    return dataclasses.replace(given, low=low, high=high)


def _is_continuous(values: list[Any] | Range) -> bool:
    return isinstance(values, Range) and values.step is None


def _option_value(field: FieldInfo, value: Any, where: str) -> Any:
    """Return a value as an option of a model takes it."""
    try:
        return TypeAdapter(field.rebuild_annotation()).validate_python(value)
    except ValidationError as error:
        raise UsageError(_explain(error, object, where)) from None


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
    first = min(
        error.errors(), key=lambda problem: problem["type"] != "extra_forbidden"
    )  # a misspelt key is missing as well
    path = [str(step) for step in first["loc"]]
    key = ".".join([*filter(None, [where]), *path])
    if first["type"] == "extra_forbidden":
        return _unknown_key(".".join([*filter(None, [where]), *path[:-1]]), path[-1], _fields(_kind_at(kind, path)))
    if first["type"] == "missing":
        hint = "; 'poise init' writes a file to start from" if kind is Config else ""
        return f"{FILE}: [{key}] is missing{hint}"
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
        return [option.name for option in dataclasses.fields(kind)]
    return list(kind.model_fields)
