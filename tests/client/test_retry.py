"""Requests that fail on purpose: what is sent again, when, and how often."""

import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poise_client import Accepted, ApiError, Event, Item, PoiseClientError, Retry, UnreachableError, UsageError


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_failed_request_is_retried_until_the_server_recovers(shop, client, status):
    shop.fail(2, status=status)
    assert client.send_event(Event("anna", "lamp")) == Accepted(1)
    assert len(shop.seen) == 3
    assert len({request.body["event_id"] for request in shop.seen}) == 1


def test_a_retry_after_a_lost_answer_does_not_count_an_event_twice(shop, client):
    shop.fail(lost=True)
    assert client.send_event(Event("anna", "lamp")) == Accepted(0, duplicates=1)
    assert len(shop.events) == 1
    shop.fail(lost=True)
    assert client.send_events([Event("anna", "lamp"), Event("ben", "lamp")]) == Accepted(0, duplicates=2)
    assert len(shop.events) == 3


def test_a_retried_deletion_that_finds_nothing_succeeds(shop, client):
    shop.fail(lost=True)
    client.delete_item("lamp")
    assert not shop.items
    with pytest.raises(ApiError, match="404"):
        client.delete_item("lamp")


@pytest.mark.parametrize("fault", [{"dropped": True}, {"lost": True}, {"status": 502}, {"status": 504}])
def test_requests_that_are_not_idempotent_are_not_retried_after_a_lost_answer(shop, client, fault):
    shop.fail(**fault)
    with pytest.raises(PoiseClientError, match="POST http://127.*/v1/recommendations"):
        client.recommend("anna")
    assert len(shop.seen) == 1


def test_requests_that_did_not_reach_the_server_are_retried(shop, client):
    shop.fail(status=429, headers={"Retry-After": "0"})
    shop.fail(status=503)
    assert client.recommend("anna").request_id == "q1"
    assert len(shop.seen) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 500, 501])
def test_other_errors_are_not_retried(shop, client, status):
    shop.fail(status=status)
    with pytest.raises(ApiError, match=f"{status} Broken: on purpose") as caught:
        client.send_event(Event("anna", "lamp"))
    assert caught.value.status == status
    assert len(shop.seen) == 1


def test_the_number_of_attempts_is_bounded(shop, connect):
    client = connect(retry=Retry(attempts=3, first=0.001))
    shop.fail(9, status=503)
    with pytest.raises(ApiError, match="503"):
        client.get_item("lamp")
    assert len(shop.seen) == 3
    shop.faults.clear()
    shop.fail(9, dropped=True)
    with pytest.raises(UnreachableError, match=r"GET http://\S+/v1/items/lamp: no answer after 3 attempts \(\w+: "):
        client.get_item("lamp")
    assert len(shop.seen) == 6


def test_the_total_time_of_retries_is_bounded(shop, connect):
    client = connect(retry=Retry(attempts=1_000, first=0.1, most=0.1, total=0.5))
    shop.fail(1_000, status=503)
    start = time.monotonic()
    with pytest.raises(ApiError, match="503"):
        client.get_item("lamp")
    assert 0.3 < time.monotonic() - start < 2.0
    assert 4 <= len(shop.seen) <= 11


def test_a_slow_answer_times_out(shop, connect):
    client = connect(retry=Retry(total=0.3), timeout=30.0)
    shop.fail(slow=2.0)
    start = time.monotonic()
    with pytest.raises(UnreachableError, match="no answer"):
        client.get_item("lamp")
    assert time.monotonic() - start < 1.5


def test_a_request_can_have_its_own_timeout(shop, client):
    shop.fail(slow=2.0)
    with pytest.raises(UnreachableError, match="ReadTimeout"):
        client.recommend("anna", timeout=0.1)


def test_retry_after_in_seconds_is_followed(shop, client):
    shop.fail(status=429, headers={"Retry-After": "1"})
    start = time.monotonic()
    client.get_item("lamp")
    assert 1.0 <= time.monotonic() - start < 3.0


def test_retry_after_as_a_date_is_followed(shop, client):
    moment = datetime.now(UTC) + timedelta(seconds=2)
    shop.fail(status=503, headers={"Retry-After": format_datetime(moment, usegmt=True)})
    client.get_item("lamp")
    assert datetime.now(UTC) >= moment.replace(microsecond=0)


def test_a_retry_after_beyond_the_time_limit_is_not_waited_for(shop, client):
    shop.fail(status=429, headers={"Retry-After": "3600"})
    start = time.monotonic()
    with pytest.raises(ApiError, match="429") as caught:
        client.get_item("lamp")
    assert caught.value.retry_after == 3600
    assert time.monotonic() - start < 2.0


@pytest.mark.parametrize("said", ["soon", "-5", "", "nan", "1e9", "٣"])
def test_an_invalid_retry_after_is_ignored(shop, client, said):
    shop.fail(status=503, headers={"Retry-After": said.encode("utf-8").decode("latin-1")})
    assert client.get_item("lamp").item_id == "lamp"


def test_an_unreachable_server(connect):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    client = connect(url=f"http://127.0.0.1:{port}", retry=Retry(attempts=2, first=0.001))
    with pytest.raises(UnreachableError, match=r"no answer after 2 attempts \(ConnectError.*is 'poise serve' running"):
        client.recommend("anna")
    with pytest.raises(UnreachableError, match=r"no answer \(ConnectError"):
        client.ready()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("<html>Bad Gateway</html>", "502 Bad Gateway"),
        ('["no", "problem"]', "502 Bad Gateway"),
        ("", "502 Bad Gateway"),
    ],
)
def test_errors_of_proxies_without_a_problem_document(shop, connect, body, said):
    client = connect(retry=Retry(attempts=1))
    shop.fail(status=502, body=body)
    with pytest.raises(ApiError, match=said) as caught:
        client.put_item(Item("lamp"))
    assert caught.value.problem == {}


@pytest.mark.parametrize("body", ["<html>Welcome</html>", '{"item_id": 7}', "{}", '{"item_id": "lamp", "content": 3}'])
def test_an_answer_of_another_server_is_a_one_line_error(shop, client, body):
    shop.fail(status=200, body=body)
    with pytest.raises(PoiseClientError, match=r"/v1/items/lamp answered what no Poise server of this version does"):
        client.get_item("lamp")


def test_a_redirection_is_not_followed(shop, connect):
    client = connect(key="poise_ab_secret")
    shop.fail(status=307, headers={"Location": "http://127.0.0.1:9/elsewhere"}, body="")
    with pytest.raises(ApiError, match="307"):
        client.get_item("lamp")


@given(
    st.integers(1, 10_000),
    st.none() | st.floats(0, 1e6),
    st.floats(0, 10),
    st.floats(0, 10),
)
def test_retry_waits_lie_between_their_bounds(attempt, asked_for, first, most):
    wait = Retry(first=first, most=most).wait(attempt, asked_for)
    least = min(most, first * 2 ** min(attempt - 1, 30))
    assert max(least / 2, asked_for or 0) <= wait <= max(least, asked_for or 0)


def test_retry_waits_have_jitter():
    assert len({Retry().wait(3, None) for _ in range(20)}) > 10


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"first": -1.0}, {"most": -1.0}, {"total": 0.0}])
def test_invalid_retry_options_are_refused(wrong):
    with pytest.raises(UsageError, match="no rule"):
        Retry(**wrong)
