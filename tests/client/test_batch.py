"""Events that are collected: sent by number, by time and at the end, and never lost in silence."""

import asyncio
import logging
import subprocess
import sys
import threading
import time

import pytest

from poise_client import AsyncClient, Client, Event, PoiseClientError, Retry, UsageError

IMPATIENT = Retry(attempts=1)


def until(true, seconds=10.0):
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.005)
    assert true()


def event(place=0):
    return Event("anna", f"i{place}")


def test_a_batch_is_sent_when_it_is_full(shop):
    with Client(shop.url) as client:
        batch = client.batch(size=3, seconds=60)
        batch.add(event(0))
        batch.add(event(1))
        time.sleep(0.05)
        assert not shop.seen
        batch.add(event(2))
        until(lambda: len(shop.events) == 3)
        until(lambda: batch.accepted == 3)
        assert len(shop.seen) == 1


def test_a_batch_is_sent_after_its_interval(shop):
    with Client(shop.url) as client:
        batch = client.batch(size=100, seconds=0.05)
        batch.add(event())
        until(lambda: len(shop.events) == 1)
        batch.add(event(1))
        until(lambda: len(shop.events) == 2)


def test_a_batch_is_sent_on_close(shop):
    with Client(shop.url) as client, client.batch(seconds=60) as batch:
        batch.add(event())
    assert len(shop.events) == batch.accepted == 1
    with Client(shop.url) as client:
        client.batch(seconds=60).add(event())
    assert len(shop.events) == 2
    with pytest.raises(UsageError, match="closed"):
        batch.add(event())
    batch.close()


def test_a_batch_is_sent_on_flush(shop):
    with Client(shop.url) as client:
        batch = client.batch(seconds=60)
        batch.add(event())
        batch.flush()
        assert len(shop.events) == 1
        assert not batch.waiting


def test_a_batch_is_sent_at_exit_without_close(shop):
    code = (
        "from poise_client import Client, Event\n"
        f"batch = Client({shop.url!r}).batch(seconds=60)\n"
        "batch.add(Event('anna', 'lamp'))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert len(shop.events) == 1


def test_a_waiting_event_keeps_its_id_and_timestamp(shop, caplog):
    with Client(shop.url, retry=IMPATIENT) as client:
        batch = client.batch(size=1, seconds=0.02)
        shop.fail(lost=True)
        shop.fail(status=503)
        batch.add(event())
        until(lambda: batch.duplicates == 1)
    sent = [request.body["events"][0] for request in shop.seen]
    assert len(sent) == 3
    assert sent[0] == sent[1] == sent[2]
    assert len(shop.events) == 1
    assert "1 events wait and will be sent again" in caplog.text


def test_adding_from_many_threads_loses_and_doubles_nothing(shop):
    with Client(shop.url) as client, client.batch(size=50, seconds=0.01) as batch:
        shop.fail(3, lost=True)

        def work(number):
            for place in range(200):
                batch.add(event(number * 1_000 + place))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len({stored["item_id"] for stored in shop.events.values()}) == len(shop.events) == 1_000
    assert batch.accepted + batch.duplicates == 1_000


def test_events_are_sent_in_order(shop):
    with Client(shop.url) as client, client.batch(size=7, seconds=0.01) as batch:
        for place in range(100):
            batch.add(event(place))
    assert [stored["item_id"] for stored in shop.events.values()] == [f"i{place}" for place in range(100)]


def test_refused_events_are_kept_with_the_reason(shop, caplog):
    caplog.set_level(logging.WARNING, "poise_client")
    with Client(shop.url) as client, client.batch() as batch:
        batch.add(event())
        batch.add(Event("anna", ""))
    assert (batch.accepted, batch.refused) == (1, 1)
    assert batch.refusals[0].event.item_id == ""
    assert batch.refusals[0].reason == "item_id is empty"
    assert "refused 1 events: item_id is empty" in caplog.text


def test_events_that_cannot_be_sent_stay_in_waiting(shop):
    client = Client(shop.url, retry=IMPATIENT)
    batch = client.batch(seconds=60)
    shop.fail(2, status=503)
    batch.add(event())
    with pytest.raises(PoiseClientError, match=r"1 events were not sent and are kept in 'waiting': POST .* 503"):
        batch.close()
    assert [waiting.item_id for waiting in batch.waiting] == ["i0"]
    with pytest.raises(PoiseClientError, match="503"):
        batch.flush()
    batch.close()
    assert not batch.waiting
    assert len(shop.events) == 1
    client.close()


def test_a_full_batch_refuses_events_and_says_why(shop):
    client = Client(shop.url, retry=IMPATIENT)
    batch = client.batch(size=1, seconds=60, most=3)
    shop.fail(1_000, status=503)
    batch.add(event())
    until(lambda: shop.seen)
    time.sleep(0.05)
    batch.add(event())
    batch.add(event())
    with pytest.raises(PoiseClientError, match=r"3 events wait to be sent and there is no room for more \(POST .*503"):
        batch.add(event())
    assert len(batch) == 3
    shop.faults.clear()
    client.close()
    assert len(shop.events) == 3


def test_add_raises_on_a_bad_event(shop):
    with Client(shop.url) as client, client.batch() as batch, pytest.raises(UsageError, match="as JSON"):
        batch.add(Event("anna", "lamp", context={"x": object()}))
    assert not shop.seen


@pytest.mark.parametrize("wrong", [{"size": 0}, {"seconds": 0}, {"size": 10, "most": 9}])
def test_wrong_options(shop, wrong):
    with Client(shop.url) as client, pytest.raises(UsageError, match="a batch needs"):
        client.batch(**wrong)


def test_an_async_batch(shop, caplog):
    async def work():
        async with AsyncClient(shop.url, retry=IMPATIENT) as client:
            async with client.batch(size=3, seconds=60) as batch:
                for place in range(3):
                    batch.add(event(place))
                while batch.accepted < 3:
                    await asyncio.sleep(0.005)
                batch.add(event(3))
                await batch.flush()
                assert batch.accepted == 4
                batch.add(event(4))
            assert batch.accepted == 5
            late = client.batch(seconds=0.02)
            late.add(event(5))
            while late.accepted < 1:
                await asyncio.sleep(0.005)
            shop.fail(lost=True)
            late.add(event(6))
            while late.duplicates < 1:
                await asyncio.sleep(0.005)
            late.add(event(7))
        assert not late.waiting
        with pytest.raises(UsageError, match="closed"):
            late.add(event())

    asyncio.run(asyncio.wait_for(work(), 30))
    assert [stored["item_id"] for stored in shop.events.values()] == [f"i{place}" for place in range(8)]
    assert "will be sent again" in caplog.text


def test_in_an_async_batch_events_that_cannot_be_sent_stay_in_waiting(shop):
    async def work():
        client = AsyncClient(shop.url, retry=IMPATIENT)
        batch = client.batch(seconds=60, size=2, most=2)
        shop.fail(2, status=503)
        batch.add(event())
        with pytest.raises(PoiseClientError, match="1 events were not sent"):
            await batch.close()
        assert len(batch.waiting) == 1
        with pytest.raises(PoiseClientError, match="1 events were not sent"):
            await client.close()

    asyncio.run(asyncio.wait_for(work(), 30))
