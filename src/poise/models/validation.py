"""How models choose an option on the validation part: by NDCG@10, on as many requests as tell the options apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from poise.data.holdout import Holdout
from poise.evaluation import ranking
from poise.recommender import Recommender, batch_size
from poise.types import Doubles

K = 10
SAMPLE = 3_000  # requests: the standard error of NDCG@10 is then about .005
_FEWEST = 500  # requests of a first round, where the catalogue is so large that more would take minutes
MOST_SCORES = 2_000_000_000  # of all options together: about half a minute of a core
_STANDARD_ERRORS = 2.0  # that an option lies behind the best when it is given up

Option = TypeVar("Option")


@dataclass(frozen=True)
class Choice(Generic[Option]):
    """The best of several options, and what was measured of each.

    Attributes:
        best: the option with the best mean NDCG@10.
        ndcg: of each option, in the order given. One that was given up early stands as far behind the best as it did on
            the requests that both were measured on.
        requests: how many the best was measured on.
    """

    best: Option
    ndcg: list[float]
    requests: int


def sample(valid: Holdout, *, most: int | None = None, seed: int = 0) -> Holdout:
    """Return at most ``most`` of the requests, ``SAMPLE`` if it is None, drawn without order."""
    size = SAMPLE if most is None else most
    if len(valid) <= size:
        return valid
    return valid.take(np.sort(np.random.default_rng(seed).choice(len(valid), size, replace=False)))


def choose(
    options: Sequence[Option],
    measure: Callable[[Option, Holdout], Doubles],
    valid: Holdout,
    *,
    default: Option | None = None,
    seed: int = 0,
) -> Choice[Option]:
    """Return the option that ranks best on validation.

    All options are measured on some requests; those that lie clearly behind the best of them, by the standard error of
    the differences request by request, are given up, and the others are measured on as many requests again, until one
    is left or all requests are used. So a small difference is told by many requests, and a large one costs few.

    The source is Karnin, Koren and Somekh, *Almost Optimal Exploration in Multi-Armed Bandits*, 2013, whose halving is
    here by intervals, as in Maron and Moore, *Hoeffding Races*, 1994.

    Args:
        options: at least one.
        measure: gives NDCG@10 of an option on each request of a holdout, float64 ``[n]``.
        valid: the requests, at least one.
        default: the option that is taken unless another one is clearly better; None for none.
        seed: of the order in which requests are used.
    """
    order = np.random.default_rng(seed).permutation(len(valid))
    width = valid.queries.item_ids.size
    wanted = int(np.clip(MOST_SCORES // (width * len(options)), _FEWEST, SAMPLE))
    measured: list[list[Doubles]] = [[] for _ in options]
    running, reached, scores = list(range(len(options))), 0, 0
    while True:
        stop = min(wanted, len(valid))
        part = valid.take(np.sort(order[reached:stop]))
        for option in running:
            measured[option].append(measure(options[option], part))
        scores += len(part) * width * len(running)
        reached, wanted = stop, 2 * stop
        gains = {option: np.concatenate(measured[option]) for option in running}
        best = max(running, key=lambda option: float(gains[option].mean()))
        running = [option for option in running if not _is_behind(gains[option], gains[best])]
        if len(running) == 1 or reached == len(valid) or scores >= MOST_SCORES:
            chosen = next((option for option in running if options[option] is default), best)
            return Choice(options[chosen], _comparable(measured, best), reached)


def ndcg(model: Recommender, holdout: Holdout) -> Doubles:
    """Return NDCG@10 of a model whose arrays are fitted, on each request of ``holdout``, float64 ``[n]``."""
    gains = []
    width = holdout.queries.item_ids.size
    size = batch_size(width)
    for first in range(0, len(holdout), size):
        batch = holdout.take(np.arange(first, min(first + size, len(holdout))))
        slates, _ = model.rank(batch.queries, min(K, width))
        hits = ranking.hit_matrix(slates.items, ranking.target_mask(batch.targets, width))
        gains.append(ranking.ndcg(hits, batch.targets.lengths, K))
    return np.concatenate(gains) if gains else np.empty(0)


def mean_ndcg(model: Recommender, holdout: Holdout) -> float:
    """Return the mean NDCG@10 of a model whose arrays are fitted, over all requests of ``holdout``."""
    return float(ndcg(model, holdout).mean())


def _is_behind(gains: Doubles, best: Doubles) -> bool:
    """Tell whether the mean of paired values lies clearly below that of the best."""
    difference = best - gains
    error = difference.std() / np.sqrt(len(difference))
    return bool(difference.mean() > _STANDARD_ERRORS * error)


def _comparable(measured: Sequence[Sequence[Doubles]], best: int) -> list[float]:
    """Return the mean of each option as it would stand beside the best one's, by their common requests."""
    of_best = np.concatenate(measured[best])
    gains = [np.concatenate(rounds) for rounds in measured]
    return [float(of_best.mean() + (of_option - of_best[: len(of_option)]).mean()) for of_option in gains]
