"""The tables of ``poise.toml``, each with what may stand in it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Len
from pydantic import BaseModel, ConfigDict

from poise.data.schema.column_types import Kind
from poise.data.schema.value_kinds import ValueKind
from poise.options.fit_options import Logger

Protocol = Literal["leave-last-out", "leave-random-out", "global-time"]
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
        item_columns_in_events: columns of the events that describe the item, such as its title and price.
        user_columns_in_events: columns of the events that describe the user, such as the country.
        item_kinds: what columns of the items hold, where the guess is wrong.
        item_separators: by column of the items, the sign between labels or before decimals, where it is told wrongly.
        names: what the columns of files without a header are called, by table.
        encoding: of files that are text, where it cannot be told.
        cleaning: which events are fit to learn from.
        feedback: which events say yes and which say no, the options of
            :class:`~poise.data.ingest.feedback.Feedback`.
        value_kind: what the values of events mean, where the guess is wrong.
        time_format: the notation of the events' times, such as ``%d.%m.%Y``, where the column does not tell it.
    """

    model_config = _STRICT
    dataset: str | None = None
    events: str | None = None
    items: str | None = None
    users: str | None = None
    columns: dict[str, str] = {}
    item_columns: dict[str, str] = {}
    user_columns: dict[str, str] = {}
    item_columns_in_events: list[str] = []
    user_columns_in_events: list[str] = []
    item_kinds: dict[str, Kind] = {}
    item_separators: dict[str, str] = {}
    names: dict[Literal["events", "items", "users"], list[str]] = {}
    encoding: str | None = None
    cleaning: dict[str, Any] = {}
    feedback: dict[str, Any] = {}
    value_kind: ValueKind | None = None
    time_format: str | None = None


class PipelineTable(BaseModel):
    """``[pipeline]``: which models recommend.

    Attributes:
        models: one that ranks, or several whose blend does, with weights that validation chooses.
        retrievers: models that bring candidates; none to rank the whole catalogue.
        candidates: how many items each retriever brings.
    """

    model_config = _STRICT
    models: Annotated[list[str], Len(1)] = ["SASRec", "EASE", "ItemKNN", "RepeatConsumption", "Popularity", "Content"]
    retrievers: list[str] = []
    candidates: Annotated[int, Ge(1)] = 200


class EvaluationTable(BaseModel):
    """``[evaluation]``: how models are evaluated.

    Attributes:
        protocols: how to part the events; the first one chooses models and options.
        k: the cut-offs of metrics, numbers of places.
        compare: the models that the pipeline is compared with.
        seed: of all draws.
    """

    model_config = _STRICT
    protocols: Annotated[list[Protocol], Len(1)] = ["leave-last-out", "global-time"]
    k: Annotated[list[Annotated[int, Ge(1)]], Len(1)] = [5, 10, 20]
    compare: list[str] = ["Random", "Popularity", "ItemKNN", "EASE", "ALS", "BPR", "Content", "SASRec"]
    seed: int = 0


class PolicyTable(BaseModel):
    """``[policy]``: how slates are made of what was scored.

    Attributes:
        hide_seen: whether items that the person already did something with are left out.
        cold_start_boost: how far items without events are boosted, see :class:`~poise.policy.ColdStartBoost`.
        exploration_rate: for people without a history, the share of places that go to items drawn from the
            catalogue, see :class:`~poise.policy.ExploreUnknown`.
        steps: further steps, in their order, by the names under which installed packages declare them.
        options: of these, by name.
    """

    model_config = _STRICT
    hide_seen: bool = True
    cold_start_boost: Annotated[float, Ge(0), Le(1)] | None = None
    exploration_rate: Annotated[float, Ge(0), Le(1)] = 0.2
    steps: list[str] = []
    options: dict[str, dict[str, Any]] = {}


class FitTable(BaseModel):
    """``[fit]``: how a run is made.

    Attributes:
        refit: whether the pipeline learns from all events, validation and test too, after it was measured.
        serve: ``better`` for a run that serves what is popular where the pipeline is shown to be better on neither the
            test nor the validation part; ``pipeline`` for the pipeline in any case.
        curves: who draws the curves of models that learn by epochs: ``tensorboard`` in ``.poise/training``, ``wandb``,
            or ``none``.
        device: where models that are networks compute: ``cpu``, ``cuda``, ``mps``; None for the best there is.
        threads: of the processor, to compute with at most; None for all.
        seed: of everything that chance decides while fitting, in place of the models' own seeds.
    """

    model_config = _STRICT
    refit: bool = True
    serve: Literal["better", "pipeline"] = "better"
    curves: Logger = "tensorboard"
    device: str | None = None
    threads: Annotated[int, Ge(1)] | None = None
    seed: Annotated[int, Ge(0)] | None = None


class TuneTable(BaseModel):
    """``[tune]``: how better options of a model are looked for.

    Attributes:
        model: which one; None for the first of ``pipeline.models``.
        search: ``bayesian`` learns from the trials so far, ``random`` draws, ``grid`` tries every combination.
        trials: how many combinations to try at most, the present one among them; a grid is searched whole unless this
            is given.
        minutes: after which no further trial begins; None for no limit.
        space: by option of the model, a list of choices or a table with ``low``, ``high``, ``log`` and ``step``; where
            nothing is given, what suits the model.
        seed: of the search.
    """

    model_config = _STRICT
    model: str | None = None
    search: Literal["bayesian", "random", "grid"] = "bayesian"
    trials: Annotated[int, Ge(1)] = 30
    minutes: Annotated[float, Gt(0)] | None = None
    space: dict[str, Any] = {}
    seed: Annotated[int, Ge(0)] = 0


class ServeTable(BaseModel):
    """``[serve]``: how recommendations are served.

    Attributes:
        store: where the live log is: a file, from the project folder on, or ``postgresql://...``.
        budget: seconds that the pipeline may take for a request before a simpler answer is given.
        batch: requests that are scored together, at most.
        threads: batches that are scored at the same time.
        queue: requests that may wait to be scored; beyond, they are refused with 429.
        half_life: days after which an event counts half for what is popular.
        max_body_bytes: bytes of a body, at most.
        rate: requests a second that one key, or one address where there are no keys, may make on average; 0 for no
            limit.
        impression_retention_days: days for which impressions are kept.
        origins: whose pages may call the API from a browser, such as ``https://shop.example``.
        update_interval_minutes: minutes after which the run learns from new events; 0 for never.
    """

    model_config = _STRICT
    store: str = "live.sqlite"
    budget: Annotated[float, Gt(0)] = 0.25
    batch: Annotated[int, Ge(1)] = 32
    threads: Annotated[int, Ge(1)] = 1
    queue: Annotated[int, Ge(1)] = 256
    half_life: Annotated[float, Gt(0)] = 7.0
    max_body_bytes: Annotated[int, Ge(1_000)] = 16_000_000
    rate: Annotated[float, Ge(0)] = 0.0
    impression_retention_days: Annotated[float, Gt(0)] = 90.0
    origins: list[str] = []
    update_interval_minutes: Annotated[float, Ge(0)] = 0.0
