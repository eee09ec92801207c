"""What people come back to: made-up logs of groceries that run out and of songs, and the models that know of it."""

from __future__ import annotations

import numpy as np
import polars as pl

import poise
from poise.data.dataset import Dataset
from poise.models import EASE, Blend, ItemKNN, Popularity, RepeatConsumption

START, DAY = 1_700_000_000, 86_400


def groceries(n_people: int = 400, n_items: int = 300, days: int = 180, *, seed: int = 0) -> Dataset:
    """People who buy their staples when these run out, each at its own pace, and now and then another thing."""
    rng = np.random.default_rng(seed)
    pace = np.exp(rng.normal(np.log(14), 0.8, n_items))
    popularity = 1 / np.arange(1, n_items + 1) ** 0.8
    popularity /= popularity.sum()
    rows = []
    for person in range(n_people):
        staples = rng.choice(n_items, rng.integers(4, 14), replace=False, p=popularity)
        own = {int(item): pace[item] * np.exp(rng.normal(0, 0.25)) for item in staples}
        last: dict[int, int] = {}
        for day in np.sort(rng.choice(days, rng.integers(10, 40), replace=False)).tolist():
            bought = [item for item in own if item not in last or (day - last[item]) / own[item] > rng.normal(1, 0.2)]
            last |= dict.fromkeys(bought, day)
            bought += rng.choice(n_items, rng.poisson(0.8), p=popularity).tolist()
            rows += [(f"u{person}", f"i{item}", START + day * DAY) for item in dict.fromkeys(bought)]
    return _dataset(rows, "groceries")


def songs(n_people: int = 300, n_items: int = 2_000, *, seed: int = 0) -> Dataset:
    """People who play again, seven times of ten, what they played lately, and else what is popular."""
    rng = np.random.default_rng(seed)
    popularity = 1 / np.arange(1, n_items + 1) ** 0.8
    popularity /= popularity.sum()
    rows = []
    for person in range(n_people):
        played: list[int] = []
        time = START - 600 * DAY
        for _ in range(rng.integers(30, 150)):
            time += int(rng.exponential(DAY))
            back = min(int(rng.pareto(1.0)), len(played) - 1)
            again = bool(played) and rng.random() < 0.7
            played.append(played[-1 - back] if again else int(rng.choice(n_items, p=popularity)))
            rows.append((f"u{person}", f"s{played[-1]}", time))
    return _dataset(rows, "songs")


def _dataset(rows: list[tuple[str, str, int]], name: str) -> Dataset:
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    return poise.build_dataset(frame, name=name)


def main() -> None:
    for data in (groceries(), songs()):
        for split in (poise.split.leave_last_out, poise.split.global_time):
            parts = split(data, hide_seen=False)
            models = [model.fit(parts.train, parts.valid) for model in (Popularity(), ItemKNN(), EASE())]
            repeat = RepeatConsumption().fit(parts.train, parts.valid)
            without = Blend(members=list(models)).fit(parts.train, parts.valid)
            blend = Blend(members=[*models, repeat]).fit(parts.train, parts.valid)
            named = {model.name: model for model in (*models, repeat)} | {"Blend without it": without, "Blend": blend}
            report = poise.evaluate(named, parts.test, k=10, metrics=["NDCG", "Recall"])
            print(f"\n{data.name}, {parts.name}; timing: {repeat.selection['timing']}\n{report.text()}")


if __name__ == "__main__":
    main()
