"""Where tuning looks, as the model or the project says, and how a trial or a grid takes values from it."""

from __future__ import annotations

import itertools
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from poise.config import FILE, Config
from poise.errors import UsageError
from poise.options.search_space import Range, Space

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

GRID_VALUES = 4  # that a grid tries of a range without steps
MOST_POINTS = 10_000  # of a grid; one that has more is a mistake
DIGITS = 4  # of sampled values: metrics do not depend on more, and people read them in a file


def search_space(config: Config) -> Space:
    """Return the search space of the tuned model: that of ``[tune]``, else the model's default.

    For a grid, ranges become lists.

    Raises:
        UsageError: none is given and the model has no default; or the grid has too many points.
    """
    space = config.tune_space() or _default_space(config.tuned_model())
    if config.tune.search != "grid":
        return space
    space = {option: _values(values) for option, values in space.items()}
    size = math.prod(len(values) for values in space.values() if isinstance(values, list))
    if size > MOST_POINTS:
        raise UsageError(
            f"{FILE}: tune.space: found a grid of {size:,} points; allowed: at most {MOST_POINTS:,}, "
            "or another search than 'grid'"
        )
    return space


def _default_space(name: str) -> Space:
    from poise import models

    kind = getattr(models, name)
    if kind.search_space:
        space: Space = kind.search_space
        return space
    raise UsageError(
        f"{FILE}: tune.space: found nothing, and {name} has no space of its own; "
        f"allowed: choices or ranges of {', '.join(kind.__pydantic_fields__)}"
    )


def grid_points(space: Space, seed: int) -> list[dict[str, Any]]:
    """Return all combinations of a space of lists, in a random order, so that half a grid covers the space."""
    all_points = [dict(zip(space, point, strict=True)) for point in itertools.product(*map(_values, space.values()))]
    return [all_points[index] for index in np.random.default_rng(seed).permutation(len(all_points))]


def sample_options(trial: BaseTrial, space: Space) -> dict[str, Any]:
    """Return the options of a trial of Optuna. It gets choices as JSON, so that they may be lists, too."""
    return {option: _sample_option(trial, option, values) for option, values in space.items()}


def optuna_parameters(options: dict[str, Any]) -> dict[str, str]:
    """Return choices in the form that Optuna has them."""
    return {option: json.dumps(value) for option, value in options.items()}


def _sample_option(trial: BaseTrial, option: str, values: list[Any] | Range) -> Any:
    if isinstance(values, list):
        return json.loads(trial.suggest_categorical(option, [json.dumps(value) for value in values]))
    low, high, step = values.low, values.high, values.step
    if isinstance(low, int):
        return trial.suggest_int(option, low, int(_last(values)), log=values.log, step=int(step or 1))
    if step is not None:
        return _rounded(trial.suggest_float(option, low, _last(values), step=step), 2 * DIGITS)
    return min(max(_rounded(trial.suggest_float(option, low, high, log=values.log), DIGITS), low), high)


def _last(values: Range) -> float:
    """Return the largest value that the steps reach."""
    if values.step is None:
        return values.high
    return values.low + _steps(values, values.step) * values.step


def _steps(values: Range, step: float) -> int:
    return int((values.high - values.low) / step + 1e-9)


def _values(values: list[Any] | Range) -> list[Any]:
    """Return the values of an option on a grid."""
    if isinstance(values, list):
        return values
    if values.step is not None:
        numbers = [values.low + step * values.step for step in range(_steps(values, values.step) + 1)]
    else:
        numbers = (np.geomspace if values.log else np.linspace)(values.low, values.high, GRID_VALUES).tolist()
    if isinstance(values.low, int):
        return [round(value) for value in numbers]
    return [_rounded(value, 2 * DIGITS if values.step else 2) for value in numbers]


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")
