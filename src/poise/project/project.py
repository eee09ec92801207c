from __future__ import annotations

import glob
import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poise.config import Config, read_config
from poise.data.dataset import Dataset
from poise.data.ingest.feedback import Feedback
from poise.data.storage import open_dataset, save_dataset
from poise.errors import DataError, PoiseError, UsageError, suggest
from poise.options.fit_options import FitOptions
from poise.progress import logging_to, write_log
from poise.project.catalogue_vectors import Say, silent, with_vectors
from poise.project.run import Run

if TYPE_CHECKING:
    from poise.store import Store


class Project:
    """A folder with a ``poise.toml``: its data, its live log and its runs.

    Args:
        folder: where the ``poise.toml`` is.
        config: in place of a ``poise.toml``, where there is none yet.
        say: called with lines about progress.

    Raises:
        UsageError: there is no ``poise.toml``, or it is wrong.
    """

    def __init__(self, folder: Path | str = ".", *, config: Config | None = None, say: Say = silent) -> None:
        self.folder = Path(folder)
        self.config = config or read_config(self.folder)
        self._say = say

    def say(self, line: str) -> None:
        """Say a line about progress, and write it to the log, if there is one."""
        write_log(line)
        self._say(line)

    @contextmanager
    def logged(self, name: str) -> Iterator[None]:
        """Keep a log of the block, ``.poise/NAME.log``: what is said, and how far long work has come."""
        with logging_to(self.folder / ".poise" / f"{name}.log"):
            yield

    @property
    def runs_folder(self) -> Path:
        """The folder of the runs."""
        return self.folder / "runs"

    @property
    def fit_options(self) -> FitOptions:
        """How and where models are fitted: as ``[fit]`` says, with checkpoints and curves in the project."""
        table = self.config.fit
        return FitOptions(
            device=table.device,
            seed=table.seed,
            threads=table.threads,
            checkpoint_folder=self.folder / ".poise" / "training",
            logger=table.curves,
        )

    def open_store(self, location: str | None = None) -> Store:
        """Open the live log, a new and empty one where there is none.

        Args:
            location: a file, relative to the project folder, or ``postgresql://...``; None for ``[serve] store``.

        Raises:
            StoreError: it cannot be opened.
        """
        from poise.store import Store

        chosen = location or self.config.serve.store
        return Store.open(chosen if "://" in chosen else self._path(chosen), self.config.name)

    def fill_store(self, location: str | None = None) -> Store:
        """Open the live log, and copy the project's data into it if it is empty.

        Raises:
            StoreError: it cannot be opened or written.
            DataError: a file or a column is not as described.
        """
        from poise.store.settings import CATALOGUE

        store = self.open_store(location)
        if store.setting(CATALOGUE) is None:
            data = self._of_files()
            self.say(f"copying {data.n_events:,} events and {data.n_items:,} items into {self.store_name(location)}")
            store.load(data)
        return store

    def store_name(self, location: str | None = None) -> str:
        """Return the name of the live log for messages, without the password of a URL."""
        return re.sub(r"://[^@/]*@", "://", location or self.config.serve.store)

    def forget_data(self) -> None:
        """Delete cached data and refused rows, which may hold events of an erased user."""
        for old in (self.folder / ".poise").glob("data-*"):
            shutil.rmtree(old, ignore_errors=True)
        for refused in self.folder.glob("quarantine*.parquet"):
            refused.unlink(missing_ok=True)

    def _live(self) -> Dataset | None:
        """Return the data of the live log; None where there is none yet."""
        chosen = self.config.serve.store
        if "://" not in chosen and not self._path(chosen).exists():
            return None
        with self.open_store() as store:
            return self.live_data(store)

    def live_data(self, store: Store) -> Dataset | None:
        """Return the data of a live log; None if nothing was copied into it yet.

        Raises:
            StoreError: it cannot be read.
        """
        from poise.store.settings import CATALOGUE

        if store.setting(CATALOGUE) is None:
            return None
        self.say("reading the live log")
        data = store.dataset(self.config.feedback(), self.config.cleaning())
        for refusal in data.quarantine.summary() if data.quarantine else ():
            self.say(f"  {refusal.rows:,} events of it are left out: {refusal.reason}")
        return data

    def live_feedback(self, data: Dataset) -> Feedback:
        """Return by which rules live events say yes or no: those of the data, with a number for a threshold.

        A low rating of somebody who asks is a no even where published figures want all ratings to be learnt from.
        """
        rules = self.config.feedback()
        if "threshold" not in self.config.data.feedback:
            known = data.feedback.threshold if data.feedback else "none"
            rules = replace(rules, threshold="auto" if known == "none" else known)
        return rules.resolved(data.value_kind, data.events.value)

    def read(self) -> Dataset:
        """Read and clean the data again, and write refused rows to ``quarantine.parquet``.

        Raises:
            DataError: a file or a column is not as described.
        """
        from poise.data.ingest.build import load_files
        from poise.datasets import registry

        source = self.config.data
        if source.dataset is not None:
            data, rules = registry.load(source.dataset), self.config.feedback()
            return data if rules == data.feedback else data.judged(rules)
        self.say(f"reading {source.events}")
        data = load_files(
            self._path(source.events or ""),
            None if source.items is None else self._path(source.items),
            None if source.users is None else self._path(source.users),
            columns=source.columns,
            item_columns=source.item_columns,
            user_columns=source.user_columns,
            item_columns_in_events=source.item_columns_in_events,
            user_columns_in_events=source.user_columns_in_events,
            item_kinds=source.item_kinds,
            item_separators=source.item_separators,
            encoding=source.encoding,
            names=source.names,
            cleaning=self.config.cleaning(),
            feedback=self.config.feedback(),
            value_kind=source.value_kind,
            time_format=source.time_format,
            name=self.config.name,
        )
        for note in [] if data.quarantine is None else data.quarantine.notes:
            self.say(note)
        if data.quarantine:
            data.quarantine.save(self.folder / "quarantine.parquet")
            self.say(f"refused {len(data.quarantine):,} rows, kept with the reasons in quarantine.parquet:")
            for refusal in data.quarantine.summary():
                self.say(f"  {refusal.rows:,} × {refusal.reason}")
        return data

    def data(self) -> Dataset:
        """Return the data: of the live log once there is one, else of the files.

        Files are read from the project's cache if neither they nor their description have changed.

        Raises:
            DataError: a file or a column is not as described.
            StoreError: the live log cannot be read.
        """
        live = self._live()
        return self._of_files() if live is None else live

    def _of_files(self) -> Dataset:
        if self.config.data.dataset is not None:
            return self.read()  # the catalogue has a cache of its own
        cached = self.folder / ".poise" / f"data-{self._sources_fingerprint()}"
        if cached.exists():
            try:
                return open_dataset(cached)
            except DataError as error:
                self.say(f"{error}; reading the files again")
        data = self.read()
        for old in cached.parent.glob("data-*"):
            shutil.rmtree(old, ignore_errors=True)
        try:
            save_dataset(data, cached)
        except PoiseError as error:  # whoever may only read, or has a full disk, can still be recommended to
            self.say(f"going on without a cache: {error}")
        return data

    def encoded(self, data: Dataset | None = None) -> Dataset:
        """Return the data with the vectors of the catalogue's texts, where there are texts and an encoder.

        It is for models to learn from, so their options are checked first.

        Args:
            data: to encode; None for the project's.

        Raises:
            UsageError: a model does not take its options.
        """
        self.config.check_models()
        data = self.data() if data is None else data
        encoder = self.config.text_encoder()
        return data if encoder is None else with_vectors(data, encoder, self.say)

    def language_warning(self, data: Dataset) -> str | None:
        """Return a warning if the encoder does not read the language of the catalogue, else None."""
        encoder = self.config.text_encoder()
        return None if encoder is None or not data.items.width else encoder.fits_items(data)

    @property
    def runs(self) -> list[str]:
        """The names of the runs, the oldest first."""
        if not self.runs_folder.is_dir():
            return []
        return sorted(path.name for path in self.runs_folder.iterdir() if (path / "run.json").is_file())

    def run(self, name: str | None = None) -> Run:
        """Open a run.

        Args:
            name: of the run; None for the latest.

        Raises:
            UsageError: there is no such run, or none at all.
            DataError: it is damaged, or was made by a newer version.
        """
        if not self.runs:
            raise UsageError(f"the project in {self.folder.resolve()} has no runs: make one with 'poise fit'")
        if name is not None and name not in self.runs:
            raise UsageError(
                f"there is no run {name!r}.{suggest(name, self.runs)} There are: {', '.join(self.runs[-5:])}"
            )
        return Run.open(self.runs_folder / (name or self.runs[-1]))

    def _path(self, source: str) -> Path:
        return self.folder / Path(source).expanduser()

    def _sources_fingerprint(self) -> str:
        """Return a hash of the description of the data and of the state of its files."""
        description: dict[str, Any] = self.config.data.model_dump()
        description["name"] = self.config.name
        files: list[tuple[str, int, int]] = []
        for source in (self.config.data.events, self.config.data.items, self.config.data.users):
            if source is None:
                continue
            path = self._path(source)
            paths = sorted(path.rglob("*")) if path.is_dir() else [Path(file) for file in sorted(glob.glob(str(path)))]
            stats = ((file, file.stat()) for file in paths if file.is_file())
            files += [(str(file), stat.st_size, stat.st_mtime_ns) for file, stat in stats]
        text = json.dumps([description, files], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
