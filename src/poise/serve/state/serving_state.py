"""The state of a project in memory, always up to date: what is served, the catalogue, people, what is popular."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from poise.config import ServeTable
from poise.data.vocabulary import Vocabulary
from poise.errors import DataError, PoiseError, UsageError
from poise.project.project import Project
from poise.project.run import Run
from poise.serve.catalogue.catalogue import Catalogue
from poise.serve.clock import SYSTEM_CLOCK, Clock
from poise.serve.state.change_feed import ChangeFeed
from poise.serve.state.decayed_popularity import DecayedPopularity
from poise.serve.state.log_counts import LogCounts
from poise.serve.state.rules import LiveRules
from poise.serve.state.serving_model import ServingModel
from poise.serve.state.user_histories import UserHistoryCache
from poise.store.records import Changes, Item
from poise.store.settings import CATALOGUE, RUN
from poise.store.store import Store

COUNTED_AT_ONCE = 200_000  # events of a log; a longer one is counted while requests are answered already
OTHERS = 2  # further runs that are held in memory, to be compared


class ServingState:
    """All that is needed to answer, from one project and its store.

    Args:
        project: whose runs are served.
        store: where the live log is.
        options: of serving.
        run: the name of the run to serve; None for the one that was promoted, else the latest that is whole.
        clock: what the time is.

    Raises:
        PoiseError: there is no run that can be served, or the store cannot be read.
    """

    def __init__(
        self,
        project: Project,
        store: Store,
        options: ServeTable,
        run: str | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.project, self.store, self.options, self.clock = project, store, options, clock
        self.change_feed = ChangeFeed(store, self._take)
        self.newest_event = 0
        self.news = 0  # raised when there may be items to encode
        self.popularity = DecayedPopularity(options.half_life, clock)
        self._changing, self._encoding = threading.Lock(), threading.Lock()
        self._others: OrderedDict[str, ServingModel] = OrderedDict()
        described: Mapping[str, Any] = store.setting(CATALOGUE) or {}
        first_run = self._select_run(run)
        self.rules = LiveRules.of(project.config, described, first_run.metadata.get("feedback"), clock)
        self.user_histories = UserHistoryCache(store, self.rules.judge)
        self.when_erased: list[Callable[[], None]] = [self.user_histories.forget_all]
        self._behaviours: Sequence[str] = described.get("behaviours", [])
        self._user_columns: Mapping[str, str] = described.get("user_columns", {})
        kinds, title = described.get("item_kinds", {}), described.get("title_column")
        like = Catalogue.of_ids(Vocabulary([]), kinds, title).changed(store.all_items(), [])
        self.serving_model = self._of(first_run, like, store.deleted_items())
        self.news += self.serving_model.is_grown
        self._touched_ids: set[str] = set()  # of items that have an event since the run was fitted
        self._recent: list[tuple[str, str, int, int]] = []  # what came while the log is counted
        self.popularity.start(first_run.item_people, self.serving_model.catalogue.ids)
        self.counted = first_run.metadata["data"]["events"] <= COUNTED_AT_ONCE
        if self.counted:
            self.count()

    async def follow(self) -> None:
        """Return when all that is committed has been taken into account.

        Raises:
            StoreError: the store cannot be read.
        """
        await self.change_feed.follow()

    def another(self, name: str) -> ServingModel:
        """Return another run, grown to the catalogue as it is now. It is slow: call it in a thread.

        Raises:
            UsageError: there is no such run.
            DataError: it is damaged.
        """
        if name == self.serving_model.name:
            return self.serving_model
        model = self._others.get(name)
        if model is None:
            model = self._others[name] = self._of(self.project.run(name), self.serving_model.catalogue)
            while len(self._others) > OTHERS:
                self._others.popitem(last=False)
        return model

    def count(self) -> None:
        """Count all events of the log, so that what is popular is by them and no longer by the run. It is slow."""
        counted = DecayedPopularity(self.options.half_life, self.clock)
        log = LogCounts.of(self.store.everything(), self.rules.judge, self.clock.milliseconds())
        counted.count(log)
        with self._changing:
            self._touched_ids.update(log.item_ids[1:])
            self.serving_model = self.serving_model.touched(list(self._touched_ids))
        counted.add(self._recent)  # what was counted already counts once all the same
        self.popularity, self.counted = counted, True
        self._recent.clear()

    def encode_all(self) -> None:
        """Encode the whole catalogue for semantic search. It is slow: call it in a thread.

        Raises:
            PoiseError: the encoder cannot be had.
        """
        model = self.serving_model
        model.item_search.item_vectors.encode(model.catalogue, range(1, model.catalogue.item_ids.size))

    def encode_new(self) -> None:
        """Encode the items that the run does not have, so that they are ranked by content. It is slow.

        Raises:
            PoiseError: the encoder cannot be had.
        """
        with self._encoding:
            self.serving_model.encode()
            with self._changing:
                self.serving_model = self.serving_model.encoded()

    def _select_run(self, name: str | None) -> Run:
        """Return the run to serve: a damaged one is reported, and the one before is taken."""
        if name is not None:
            run = self.project.run(name)
            _ = run.pipeline
            return run
        promoted = self.store.setting(RUN)
        names = list(reversed(self.project.runs))
        if promoted in names:
            names.remove(promoted)
            names.insert(0, promoted)
        for candidate in names:
            try:
                run = self.project.run(candidate)
                _ = run.pipeline
                return run
            except DataError as error:
                self.project.say(f"{error}; trying the one before")
        if names:
            raise DataError("none of the project's runs can be served: fit again with 'poise fit'")
        raise UsageError(f"the project in {self.project.folder.resolve()} has no runs: make one with 'poise fit'")

    def _of(self, run: Run, like: Catalogue, deleted: Sequence[str] = ()) -> ServingModel:
        try:
            policy = run.pipeline.with_policy(self.project.config.make_policy()).policy
        except UsageError as error:  # there is always an answer
            self.project.say(f"{error}; until then the policy that the run was fitted with decides")
            policy = run.pipeline.policy
        return ServingModel.of(run, like, deleted, self._behaviours, self._user_columns, policy)

    async def _take(self, changes: Changes) -> None:
        if changes.erased:
            for forget in self.when_erased:
                forget()
        if changes.users:
            self.user_histories.forget(user.user_id for user in changes.users)
        if changes.events:
            self.user_histories.add(changes.events, self.change_feed.seen, changes.version)
        if changes.events:
            opinions = self.rules.opinions(changes.events)
            choices = [
                (event.user_id, event.item_id, said, event.time)
                for event, said in zip(changes.events, opinions, strict=True)
            ]
            self.popularity.add(choices)
            if not self.counted:
                self._recent += choices
            self.newest_event = max(self.newest_event, *(event.time for event in changes.events))
        touched = sorted({event.item_id for event in changes.events})
        self._touched_ids.update(touched)
        name = changes.settings.get(RUN)
        if changes.items or changes.deleted_items or (name is not None and name != self.serving_model.name):
            await asyncio.to_thread(self._change, changes.items, changes.deleted_items, touched, name)
        elif touched:
            with self._changing:
                self.serving_model = self.serving_model.touched(touched)

    def _change(
        self, items: Sequence[Item], deleted: Sequence[str], touched: Sequence[str], promoted: str | None
    ) -> None:
        """Take in what has changed of the catalogue, and which run is to be served."""
        with self._changing:
            model = self.serving_model
            if items or deleted:
                model = model.changed(items, deleted)
                self._others.clear()
            if promoted is not None and promoted != model.name:
                try:
                    model = self._of(self.project.run(promoted), model.catalogue).touched(list(self._touched_ids))
                except PoiseError as error:
                    self.project.say(f"the run {promoted} cannot be served, {model.name} goes on: {error}")
            model.catalogue.make_ready()
            self.serving_model = model.touched(touched)
            self.news += 1
