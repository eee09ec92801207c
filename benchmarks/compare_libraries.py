"""Training events per second of SASRec in Poise, RecTools and RecBole, and with ``--quality`` how good each becomes.

The targets are 8 times RecTools and 20 times RecBole, in one run on one machine, at no loss of quality.

Each library trains in a process of its own, RecTools and RecBole in environments that this script installs, outside of
the repository, with the torch of Poise. Data is Amazon Beauty. Each user's last event is kept from all of them; the one
before it is for validation. Each peer is compared with Poise at the same architecture (classic blocks, their number,
the heads, the widths, the length that is read, dropout), the same loss and the same number of events a batch:

- RecTools with its sampled softmax, its default dropout and its default batch. It draws ``--negatives`` for each
  prediction, Poise ``--shared`` for each batch: as many as it takes for no loss of quality, since with the same number
  Poise would meet far fewer. It learns from the last 51 events of a user, Poise from all.
- RecBole with the full softmax, its default dropout and its default batch. It reads each prefix of a history as a
  sample of its own, of which the last event alone is predicted.

An event is a predicted target, in all three; figures are medians over runs of the same number of batches, after one
that warms up, without set-up and validation. Optimiser, learning rate, initial weights, augmentation and averaging are
each library's own. With ``--quality`` whole epochs are timed, each library trains until NDCG@10 on its validation part
no longer improves or the time is up, and its ten best items for each test request, of all that were not seen, are
judged by the same code.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_dir

from benchmarks._common import peak_memory_mb, write_result

if TYPE_CHECKING:
    from poise.data.split import Split
    from poise.evaluation.significance import Measured
    from poise.train.batches.sequence_batches import SequenceBatch, SequenceBatches

ROOT = Path(__file__).resolve().parents[1]
BEAUTY = ROOT.parent / "shared" / "data" / "amazon-beauty" / "sequences.txt"
TORCH = "torch==" + version("torch").partition("+")[0]
INSTALL: dict[str, list[list[str]]] = {
    "rectools": [[TORCH], ["rectools[torch]>=0.19"]],
    # Without its dependencies: they ask for a ray that is gone from new Pythons, and only its tuner needs it.
    "recbole": [
        [TORCH],
        ["numpy<2", "pandas<3", "scipy", "scikit-learn", "tensorboard", "pyyaml", "psutil"],
        ["thop", "tqdm", "colorlog", "colorama", "tabulate", "texttable"],
        ["--no-deps", "recbole==1.2.1"],
    ],
}
PAIRS: dict[str, dict[str, Any]] = {
    "rectools": {"loss": "sampled_softmax", "dropout": 0.2, "batch_users": 128},
    "recbole": {"loss": "full_softmax", "dropout": 0.5, "batch_events": 2048},
}
NAMES = {"poise": "Poise", "rectools": "RecTools", "recbole": "RecBole"}


def environment(library: str, folder: Path) -> Path:
    """Return the interpreter of an environment with ``library``, which is made where it is not there yet."""
    home = folder / library
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    done = home / "installed.json"
    wanted = json.dumps(INSTALL[library])
    if not done.exists() or done.read_text(encoding="utf-8") != wanted:
        print(f"installing {NAMES[library]} into {home}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        for packages in INSTALL[library]:
            subprocess.run([str(python), "-m", "pip", "install", "--quiet", *packages], check=True)
        done.write_text(wanted, encoding="utf-8")
    return python


def split_of(sequences: Path) -> Split:
    from poise.data.ingest.build import load_files
    from poise.data.split import leave_last_out

    return leave_last_out(load_files(sequences, name="amazon-beauty"))


def write_events(split: Split, path: Path) -> None:
    """Write the training and the validation events, a user's oldest first: the last of each user is for validation."""
    import polars as pl

    data = split.train_and_valid
    log = data.events
    columns = {"user": data.user_ids.ids(log.user), "item": data.item_ids.ids(log.item)}
    frame = pl.DataFrame(columns).with_columns(place=pl.int_range(pl.len()).over("user"))
    frame.write_csv(path)


def run(python: Path, module: str, job: dict[str, Any]) -> dict[str, Any]:
    """Do a job in a process of its own, with no more threads than it may have, and return what it reports."""
    folder = Path(job["folder"])
    job_file = folder / "job.json"
    job_file.write_text(json.dumps(job), encoding="utf-8")
    threads = str(job["threads"])
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    variables = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    done = subprocess.run(
        [str(python), "-m", module, str(job_file)],
        cwd=folder,
        env=variables,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def train_poise(job: dict[str, Any]) -> dict[str, Any]:
    """Do a job with Poise, as the runners do it with the other libraries."""
    import torch

    from poise.models.sequential.sasrec import SASRec
    from poise.options.fit_options import FitOptions
    from poise.train.batches.sequence_batches import SequenceBatches

    torch.set_num_threads(job["threads"])
    clock = Clock(SequenceBatches.epoch, None if job["quality"] else job["batches"])
    SequenceBatches.epoch = lambda self, number, first=0: clock.epoch(self, number, first)  # type: ignore[method-assign]
    split = split_of(Path(job["sequences"]))
    model = SASRec(
        items="id",
        block="classic",
        blocks=job["blocks"],
        heads=job["heads"],
        dim=job["dim"],
        max_length=job["max_length"],
        dropout=job["dropout"],
        loss=job["loss"],
        negatives=job["negatives"],
        batch_events=job["batch_events"],
        seed=job["seed"],
        **({} if job["quality"] else {"epochs": 1 + job["runs"]}),
    )
    start = time.perf_counter()
    model.fit(split.train, split.valid if job["quality"] else None, FitOptions(device="cpu"))
    minutes = (time.perf_counter() - start) / 60
    if job["quality"]:
        queries = split.test.queries
        users = split.train.user_ids.ids(queries.user)
        slates = [split.train.item_ids.ids(row) for row in model.recommend(queries, 10).items]
        Path(job["slates"]).write_text(json.dumps(dict(zip(users, slates, strict=True))), encoding="utf-8")
    return {
        "version": version("poise"),
        "events_per_epoch": clock.events_per_epoch,
        "events_per_second": statistics.median(clock.speeds[1:] or clock.speeds),
        "epochs": len(clock.speeds),
        "minutes": minutes,
        "peak_memory_mb": peak_memory_mb(),
    }


class Clock:
    """Notes down how many targets a second each epoch of Poise has, of which only the first batches may be wanted."""

    def __init__(self, epoch: Callable[..., Iterator[SequenceBatch]], most: int | None) -> None:
        self.whole = epoch
        self.most = most
        self.events_per_epoch = 0
        self.speeds: list[float] = []

    def epoch(self, batches: SequenceBatches, number: int, first: int) -> Iterator[SequenceBatch]:
        """Yield the batches of an epoch; whoever asks for the next one has learnt from the one before."""
        start, targets = time.perf_counter(), 0
        for batch in islice(self.whole(batches, number, first), self.most):
            targets += int((batch.targets > 0).sum())
            yield batch
        self.speeds.append(targets / (time.perf_counter() - start))
        self.events_per_epoch = batches.n_targets


def judge(split: Split, path: Path) -> dict[str, Measured]:
    """Return Recall@10 and NDCG@10 of the slates in a file, request by request; without a slate it is a miss."""
    import numpy as np

    from poise.evaluation import ranking
    from poise.evaluation.significance import Measured

    slates = json.loads(path.read_text(encoding="utf-8"))
    test = split.test
    items = np.zeros((len(test), 10), dtype=np.int32)
    for row, user in enumerate(split.train.user_ids.ids(test.queries.user)):
        best = split.train.item_ids.index(slates.get(user, []))
        items[row, : len(best)] = best
    seen = test.queries.seen()
    if (items[seen.rows] == seen.values[:, None]).any():
        raise ValueError(f"{path} recommends items that were seen: the masks differ")
    hits = ranking.hit_matrix(items, ranking.target_mask(test.targets, test.queries.item_ids.size))
    return {
        "recall": Measured(ranking.recall(hits, test.targets.lengths, 10)),
        "ndcg": Measured(ranking.ndcg(hits, test.targets.lengths, 10)),
    }


def quality(split: Split, our_report: Path, peers: Path) -> list[dict[str, Any]]:
    """Return the quality columns of Poise and of the peer; ``p`` is of the difference between the two."""
    from poise.evaluation.significance import compare, estimates

    measured = [judge(split, our_report), judge(split, peers)]
    ndcg = {"Poise": measured[0]["ndcg"], "peer": measured[1]["ndcg"]}
    p = compare("NDCG@10", "Poise", ndcg)[0].p
    rows = []
    for measurement in measured:
        of_recall, of_ndcg = estimates([measurement["recall"], measurement["ndcg"]])
        rows.append(
            {
                "recall_at_10": round(of_recall.value, 4),
                "recall_interval": f"{of_recall.low:.4f} to {of_recall.high:.4f}",
                "ndcg_at_10": round(of_ndcg.value, 4),
                "ndcg_interval": f"{of_ndcg.low:.4f} to {of_ndcg.high:.4f}",
                "ndcg_p": round(p, 4),
            }
        )
    return rows


def row(name: str, job: dict[str, Any], result: dict[str, Any], own_speed: float, n_items: int) -> dict[str, Any]:
    speed = result["events_per_second"]
    return {
        "library": NAMES[name],
        "version": result["version"],
        "loss": job["loss"],
        "negatives": job["negatives"] if job["loss"] == "sampled_softmax" else n_items - 1,
        "dim": job["dim"],
        "blocks": job["blocks"],
        "dropout": job["dropout"],
        "batch_events": job["batch_events"],
        "threads": job["threads"],
        "events_per_epoch": result["events_per_epoch"],
        "seconds_per_epoch": round(result["events_per_epoch"] / speed, 2),
        "events_per_second": round(speed),
        "poise_is_faster": round(own_speed / speed, 1),
        "peak_memory_mb": round(result["peak_memory_mb"]),
    }


def compare_with(
    peer: str, python: Path, split: Split, folder: Path, options: argparse.Namespace
) -> list[dict[str, Any]]:
    """Train Poise and a peer, whose interpreter is ``python``, in the same way; return a row for each."""
    job: dict[str, Any] = {
        "batch_users": 0,
        "negatives": options.negatives,
        "dim": options.dim,
        "blocks": options.blocks,
        "heads": options.heads,
        "max_length": 50,
        "quality": options.quality,
        "minutes": options.minutes,
        "runs": options.runs,
        "batches": options.batches,
        "patience": 10,
        "threads": options.threads,
        "seed": options.seed,
        "folder": str(folder),
        "events": str(folder / "events.csv"),
        "sequences": str(options.beauty.resolve()),
        **PAIRS[peer],
    }
    if "batch_events" not in job:
        users = int((split.train.events.offsets[1:] > split.train.events.offsets[:-1]).sum())
        job["batch_events"] = round(job["batch_users"] * (split.train.n_events - users) / users)
    jobs = {"poise": {**job, "negatives": options.shared}, peer: job}
    results: dict[str, dict[str, Any]] = {}
    paths = {name: folder / f"{peer}-{name}-slates.json" for name in ("poise", peer)}
    for name in ("poise", peer):
        print(f"training {NAMES[name]}", file=sys.stderr)
        runner = "benchmarks.compare_libraries" if name == "poise" else f"benchmarks._{name}_runner"
        interpreter = Path(sys.executable) if name == "poise" else python
        results[name] = run(interpreter, runner, {**jobs[name], "slates": str(paths[name])})
    own_speed = results["poise"]["events_per_second"]
    rows = [row(name, jobs[name], results[name], own_speed, split.train.n_items) for name in ("poise", peer)]
    if options.quality:
        figures = quality(split, paths["poise"], paths[peer])
        for table_row, name, metrics in zip(rows, ("poise", peer), figures, strict=True):
            table_row |= {"epochs": results[name]["epochs"], "minutes": round(results[name]["minutes"], 1), **metrics}
    return rows


def main() -> None:
    if len(sys.argv) == 2 and sys.argv[1].endswith("job.json"):  # this is the process that trains Poise
        print(json.dumps(train_poise(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", nargs="+", choices=list(PAIRS), default=list(PAIRS))
    parser.add_argument("--beauty", type=Path, default=BEAUTY, help="sequences.txt, which may not be redistributed")
    parser.add_argument("--folder", type=Path, default=Path(user_cache_dir("poise-benchmarks")))
    parser.add_argument("--quality", action="store_true", help="train to the end and measure how good each becomes")
    parser.add_argument("--minutes", type=float, default=20, help="that RecTools and RecBole may train, with --quality")
    parser.add_argument("--runs", type=int, default=3, help="to time, after one that warms up")
    parser.add_argument("--batches", type=int, default=20, help="of each run; with --quality a run is an epoch")
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--blocks", type=int, default=2)
    parser.add_argument("--heads", type=int, default=2)
    parser.add_argument("--negatives", type=int, default=256, help="that RecTools draws for each prediction")
    parser.add_argument("--shared", type=int, default=4096, help="that Poise draws for each batch")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    pythons = {peer: environment(peer, folder) for peer in options.peers}
    split = split_of(options.beauty)
    rows: list[dict[str, Any]] = []
    for peer, python in pythons.items():
        with TemporaryDirectory(dir=folder) as work:
            write_events(split, Path(work) / "events.csv")
            rows += compare_with(peer, python, split, Path(work), options)
    write_result("compare_libraries_quality" if options.quality else "compare_libraries", rows)


if __name__ == "__main__":
    main()
