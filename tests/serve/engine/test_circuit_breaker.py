"""A stage that fails is left alone, tried again, and trusted again."""

from __future__ import annotations

import pytest

from poise.serve.engine.circuit_breaker import FAILURES, RECOVERY_SECONDS, CircuitBreaker


class FakeClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def breaker(clock: FakeClock) -> CircuitBreaker:
    return CircuitBreaker(clock)


def fail(breaker: CircuitBreaker, times: int, stage: str = "ranker") -> None:
    for _ in range(times):
        breaker.note_failure(stage)


def test_the_circuit_opens_after_failures_in_a_row(breaker: CircuitBreaker) -> None:
    assert not breaker.is_open("ranker")
    fail(breaker, FAILURES - 1)
    assert not breaker.is_open("ranker")
    fail(breaker, 1)
    assert breaker.is_open("ranker")


def test_a_success_closes_the_circuit(breaker: CircuitBreaker) -> None:
    fail(breaker, FAILURES - 1)
    breaker.note_success("ranker")
    fail(breaker, FAILURES - 1)
    assert not breaker.is_open("ranker")


def test_the_circuit_closes_after_the_recovery_time(breaker: CircuitBreaker, clock: FakeClock) -> None:
    fail(breaker, FAILURES)
    clock.seconds += RECOVERY_SECONDS - 0.1
    assert breaker.is_open("ranker")
    clock.seconds += 0.1
    assert not breaker.is_open("ranker")


def test_one_failure_after_recovery_opens_the_circuit_again(breaker: CircuitBreaker, clock: FakeClock) -> None:
    fail(breaker, FAILURES)
    clock.seconds += RECOVERY_SECONDS
    fail(breaker, 1)
    assert breaker.is_open("ranker")
    clock.seconds += RECOVERY_SECONDS
    breaker.note_success("ranker")
    fail(breaker, 1)
    assert not breaker.is_open("ranker")


def test_each_stage_has_a_circuit_of_its_own(breaker: CircuitBreaker) -> None:
    fail(breaker, FAILURES, "ranker")
    assert not breaker.is_open("retrieval")
    breaker.note_success("retrieval")
    assert breaker.is_open("ranker")
