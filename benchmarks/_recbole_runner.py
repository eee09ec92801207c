"""Train RecBole's SASRec on a job of ``compare_libraries``: runs where RecBole is installed and Poise is not."""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.data.interaction import Interaction
from recbole.model.sequential_recommender import SASRec
from recbole.trainer import Trainer
from recbole.utils import init_logger, init_seed

from benchmarks._common import peak_memory_mb

ROWS = 1024  # of scores at once


class TimeIsUpError(Exception):
    """The training has taken as long as it may."""


class TimedTrainer(Trainer):
    """RecBole's trainer, which notes down how many targets a second each epoch has.

    Only the first batches of an epoch are trained on where a number of them is given.
    """

    def __init__(self, config: Config, model: SASRec, batches: int | None) -> None:
        super().__init__(config, model)
        self.batches = batches
        self.speeds: list[float] = []

    def _train_epoch(self, train_data: Any, *arguments: Any, **options: Any) -> Any:
        self.targets = 0
        start = time.perf_counter()
        loss = super()._train_epoch(self._counted(islice(train_data, self.batches)), *arguments, **options)
        self.speeds.append(self.targets / (time.perf_counter() - start))
        return loss

    def _counted(self, batches: Iterator[Interaction]) -> Iterator[Interaction]:
        for batch in batches:
            self.targets += len(batch)
            yield batch


def options(job: dict[str, Any]) -> dict[str, Any]:
    """Return what is set for RecBole; all else is as it comes, the learning rate and the optimiser among it."""
    return {
        "data_path": job["folder"],
        "checkpoint_dir": job["folder"],
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "MAX_ITEM_LIST_LENGTH": job["max_length"],
        "n_layers": job["blocks"],
        "n_heads": job["heads"],
        "hidden_size": job["dim"],
        "inner_size": job["dim"],
        "hidden_act": "relu",
        "hidden_dropout_prob": job["dropout"],
        "attn_dropout_prob": job["dropout"],
        "loss_type": {"full_softmax": "CE"}[job["loss"]],
        "train_neg_sample_args": None,
        "train_batch_size": job["batch_events"],
        "eval_args": {"split": {"LS": "valid_only"}, "order": "TO", "group_by": "user", "mode": "full"},
        "metrics": ["NDCG"],
        "topk": [10],
        "valid_metric": "NDCG@10",
        "stopping_step": job["patience"],
        **({} if job["quality"] else {"epochs": 1 + job["runs"]}),
        "seed": job["seed"],
        "use_gpu": False,
        "show_progress": False,
        "state": "WARNING",
    }


def deadline(end: float) -> Callable[[int, float], None]:
    """Return what RecBole is to call after each epoch: it breaks off the training once the clock shows ``end``."""

    def stop_in_time(epoch: int, figure: float) -> None:
        if time.perf_counter() > end:
            raise TimeIsUpError

    return stop_in_time


def slates(model: SASRec, data: Any, events: pd.DataFrame, max_length: int) -> dict[str, list[str]]:
    """Return the ten best items for each user's whole history, of all items but those of the history."""
    histories = events.groupby("user")["item"].agg(list)
    best_items: dict[str, list[str]] = {}
    model.eval()
    for first in range(0, len(histories), ROWS):
        part = histories.iloc[first : first + ROWS]
        indices = [torch.from_numpy(data.token2id("item_id", history)) for history in part]
        read = [history[-max_length:] for history in indices]
        sequences = torch.zeros(len(part), max_length, dtype=torch.int64)
        for row, truncated in enumerate(read):
            sequences[row, : len(truncated)] = truncated
        lengths = torch.tensor([len(history) for history in read])
        with torch.no_grad():
            scores = model.full_sort_predict(Interaction({model.ITEM_SEQ: sequences, model.ITEM_SEQ_LEN: lengths}))
        scores[:, 0] = -torch.inf
        for row, truncated in enumerate(indices):
            scores[row, truncated] = -torch.inf
        best = data.id2token("item_id", scores.topk(10).indices.numpy())
        best_items |= dict(zip(part.index, best.tolist(), strict=True))
    return best_items


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(job["threads"])
    events = pd.read_csv(job["events"], dtype={"user": str, "item": str})
    folder = Path(job["folder"]) / "compare"
    folder.mkdir(exist_ok=True)
    header = ["user_id:token", "item_id:token", "timestamp:float"]
    events.to_csv(folder / "compare.inter", sep="\t", index=False, header=header)
    config = Config(model="SASRec", dataset="compare", config_dict=options(job))
    init_seed(config["seed"], config["reproducibility"])
    init_logger(config)
    data = create_dataset(config)
    train_data, valid_data, _ = data_preparation(config, data)
    model = SASRec(config, train_data.dataset)
    trainer = TimedTrainer(config, model, None if job["quality"] else job["batches"])
    start = time.perf_counter()
    with contextlib.suppress(TimeIsUpError):
        trainer.fit(
            train_data,
            valid_data if job["quality"] else None,
            saved=job["quality"],
            callback_fn=deadline(start + 60 * job["minutes"]),
        )
    minutes = (time.perf_counter() - start) / 60
    if job["quality"]:
        model.load_state_dict(torch.load(trainer.saved_model_file, weights_only=False)["state_dict"])
        Path(job["slates"]).write_text(json.dumps(slates(model, data, events, job["max_length"])), encoding="utf-8")
    result = {
        "version": version("recbole"),
        "events_per_epoch": len(train_data.dataset),
        "events_per_second": statistics.median(trainer.speeds[1:] or trainer.speeds),
        "epochs": len(trainer.speeds),
        "minutes": minutes,
        "peak_memory_mb": peak_memory_mb(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
