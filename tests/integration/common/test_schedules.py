"""Delayed messages: they appear at their time, as the event they were, and replace one another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from nats.aio.msg import Msg
from tests.support.worker import event, publishing

from bitbylaw.common.bus.connection import Bus
from bitbylaw.common.bus.publisher import delayed_message
from bitbylaw.common.bus.topology import Stream
from bitbylaw.common.events import parse_event


@asynccontextmanager
async def arriving(bus: Bus, subject: str) -> AsyncIterator["asyncio.Queue[Msg]"]:
    """What appears on `subject` of EVENTS from now on."""
    queue: asyncio.Queue[Msg] = asyncio.Queue()

    async def take(message: Msg) -> None:
        queue.put_nowait(message)

    subscription = await bus.js.subscribe(subject, stream=Stream.EVENTS, cb=take, ordered_consumer=True)
    try:
        yield queue
    finally:
        await subscription.unsubscribe()


async def test_delayed_events_come_in_time_with_their_attempts(bus: Bus) -> None:
    """Three delayed at once (one batch) arrive not before their time and within two seconds after, attempt included."""
    delays = {1: 0.3, 2: 0.6, 3: 0.0}
    async with arriving(bus, "vmh.>") as queue, publishing(bus) as publisher:
        sent = datetime.now(UTC)
        messages = [delayed_message(event(number, attempt=number), delay, sent) for number, delay in delays.items()]
        await asyncio.gather(*(publisher.publish([message]) for message in messages))
        came: dict[int, float] = {}
        async with asyncio.timeout(5):
            while len(came) < 3:
                message = await queue.get()
                found = parse_event(message.subject, message.data, message.headers, source="x", now=sent)
                came[found.attempt] = (datetime.now(UTC) - sent).total_seconds()
                assert found.entity == event(found.attempt).entity
    for number, delay in delays.items():
        assert delay - 0.01 <= came[number] <= delay + 2.0


async def test_a_newer_delay_replaces_the_older(bus: Bus) -> None:
    """One delayed message waits for each subject: the retry that was scheduled last is the one that comes."""
    async with arriving(bus, "vmh.>") as queue, publishing(bus) as publisher:
        now = datetime.now(UTC)
        await publisher.publish([delayed_message(event(1, attempt=1), 0.2, now)])
        await publisher.publish([delayed_message(event(1, attempt=2), 0.4, now)])
        info = await bus.js.stream_info(Stream.EVENTS, subjects_filter="retry.>")
        assert info.state.subjects == {f"retry.{event(1).subject}": 1}
        async with asyncio.timeout(5):
            message = await queue.get()
        assert (message.headers or {})["Bitbylaw-Attempt"] == "2"
        # A later event of another entity comes next: the replaced one never appears.
        await publisher.publish([delayed_message(event(2), 0.2, datetime.now(UTC))])
        async with asyncio.timeout(5):
            assert (await queue.get()).subject == event(2).subject


@pytest.mark.parametrize("delay", [float("inf"), float("nan"), 1e300, -5.0])
async def test_any_delay_can_be_stored(bus: Bus, delay: float) -> None:
    """Whatever an upstream names as a pause, the retry is on disk."""
    async with publishing(bus) as publisher:
        await publisher.publish([delayed_message(event(1), delay, datetime.now(UTC))])
    # A delay that is over lets the message through at once; it is in the stream either way.
    assert (await bus.js.stream_info(Stream.EVENTS)).state.messages == 1
