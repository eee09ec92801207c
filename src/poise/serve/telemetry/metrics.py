"""What the server counts of itself, for Prometheus."""

from __future__ import annotations

import time
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from poise_client.schema.recommendations import Stage

_OTHER_STAGES = ("explanation", "search", "store")
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class ServerMetrics:
    """Counters and histograms of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "poise_requests", "HTTP requests", ["route", "method", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "poise_request_seconds", "Time of HTTP requests", ["route"], buckets=_SECONDS, registry=self.registry
        )
        self.stages = Histogram(
            "poise_stage_seconds",
            "Time of the stages of an answer",
            ["stage"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.slates = Counter("poise_slates", "Slates by the stage that made them", ["stage"], registry=self.registry)
        self.slate_cache_hits = Counter(
            "poise_slate_cache_hits", "Slates given again, as nothing had happened since", registry=self.registry
        )
        self.fallbacks = Counter(
            "poise_fallbacks",
            "Answers of a simpler stage, by the stage that failed and why",
            ["failed", "why"],
            registry=self.registry,
        )
        self.events = Counter("poise_events", "Events by what became of them", ["outcome"], registry=self.registry)
        self.unlogged = Counter(
            "poise_impressions_lost", "Impressions that could not be logged", registry=self.registry
        )
        self.batch = Histogram(
            "poise_batch_requests", "Requests scored together", buckets=(1, 2, 4, 8, 16, 32, 64), registry=self.registry
        )
        self.waiting = Gauge("poise_waiting_requests", "Requests that wait to be scored", registry=self.registry)
        self.lag = Gauge("poise_store_pending_rows", "Rows that wait to be written", registry=self.registry)
        self.freshness = Gauge(
            "poise_freshness_seconds", "Time since the newest event that was taken into account", registry=self.registry
        )
        self.items = Gauge("poise_items", "Items that may be shown", registry=self.registry)
        self.run = Gauge("poise_run", "The run that is served", ["run"], registry=self.registry)

        self._by_request: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self.slates_by = {stage: self.slates.labels(stage) for stage in get_args(Stage)}
        self._seconds_by = {stage: self.stages.labels(stage) for stage in (*get_args(Stage), *_OTHER_STAGES)}

    def seconds_of(self, stage: str, start: float) -> None:
        """Note how long a stage took that began at ``start``, by :func:`time.perf_counter`."""
        self._seconds_by[stage].observe(time.perf_counter() - start)

    def note_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request."""
        key = (route, method, status)
        counters = self._by_request.get(key)
        if counters is None:
            counters = self._by_request[key] = self.requests.labels(*key), self.seconds.labels(route)
        counters[0].inc()
        counters[1].observe(seconds)

    def text(self) -> bytes:
        """Return all of it in Prometheus' text format."""
        return generate_latest(self.registry)
