"""Publishing: what a caller is told is on disk is on disk, and nobody's bad message harms another's good one."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.support.nats import NatsServer, connected, lost, reached
from tests.support.worker import event, publishing

from bitbylaw.common.bus.connection import Bus
from bitbylaw.common.bus.publisher import MAX_BATCH, Outgoing, Publisher, event_message
from bitbylaw.common.bus.topology import Stream, ensure_topology
from bitbylaw.common.errors import BusUnavailable

HUGE = b"x" * (1024 * 1024 + 1)


def good(number: int, **headers: str) -> Outgoing:
    """A message of its own subject in EVENTS."""
    message = event_message(event(number))
    return Outgoing(message.subject, b"{}", headers)


async def outcome(publisher: Publisher, messages: Sequence[Outgoing]) -> bool:
    """Whether the messages were acknowledged."""
    try:
        await publisher.publish(messages)
    except BusUnavailable:
        return False
    return True


async def stored(bus: Bus, stream: str = Stream.EVENTS) -> dict[str, int]:
    """Messages in `stream` by subject."""
    return (await bus.js.stream_info(stream, subjects_filter=">")).state.subjects or {}


async def test_many_callers_share_atomic_batches(bus: Bus) -> None:
    """A thousand publishes at once are all acknowledged and all there, in few batches, none larger than allowed."""
    async with publishing(bus) as publisher:
        await asyncio.gather(*(publisher.publish([good(number)]) for number in range(1000)))
    assert set(await stored(bus)) == {good(number).subject for number in range(1000)}
    batches: dict[str, int] = {}
    for sequence in range(1, 1001):
        headers = (await bus.js.get_msg(Stream.EVENTS, sequence)).headers or {}
        batch = headers.get("Nats-Batch-Id", f"single {sequence}")
        batches[batch] = batches.get(batch, 0) + 1
    assert len(batches) <= 10
    assert max(batches.values()) <= MAX_BATCH


async def test_one_callers_group_may_be_larger_than_a_batch(bus: Bus) -> None:
    """A webhook of more elements than a batch holds is stored whole before its caller hears of it."""
    async with publishing(bus) as publisher:
        await publisher.publish([good(number) for number in range(MAX_BATCH * 2 + 1)])
        await publisher.publish([])
    assert len(await stored(bus)) == MAX_BATCH * 2 + 1


async def test_the_latest_of_a_subject_stays(bus: Bus) -> None:
    """Ten events of one entity that wait are one message, also within one batch."""
    async with publishing(bus) as publisher:
        await publisher.publish([good(1)] * 10)
        await asyncio.gather(*(publisher.publish([good(1)]) for _ in range(10)))
    assert await stored(bus) == {good(1).subject: 1}


BAD = {
    "too large": Outgoing(good(0).subject, HUGE, {}),
    "headers too large": Outgoing(good(0).subject, b"{}", {"x": "y" * len(HUGE)}),
    "no stream": Outgoing("nowhere.at.all", b"{}", {}),
    "no subject": Outgoing("vmh document", b"{}", {}),
    "no text": Outgoing(good(0).subject, b"{}", {"x": "\ud800"}),
    "no header": Outgoing(good(0).subject, b"{}", {"a b:": "x"}),
    "wrong precondition": Outgoing(good(0).subject, b"{}", {"Nats-Expected-Last-Subject-Sequence": "99"}),
}


@pytest.mark.parametrize("place", [0, 2, 4])
@pytest.mark.parametrize("fault", [name for name in BAD if name != "headers too large"])
async def test_a_bad_message_is_refused_and_the_others_are_stored(bus: Bus, fault: str, place: int) -> None:
    """Wherever it stands in the batch, only its own caller is told that it is not stored; nobody waits for ever."""
    groups = [[good(number), good(number + 100)] for number in range(1, 5)]
    groups.insert(place, [BAD[fault]])
    async with publishing(bus) as publisher, asyncio.timeout(4):
        told = await asyncio.gather(*(outcome(publisher, group) for group in groups))
        assert told == [index != place for index in range(5)]
        assert await outcome(publisher, [good(50)])
    expected = {message.subject for index, group in enumerate(groups) if index != place for message in group}
    assert set(await stored(bus)) == expected | {good(50).subject}


async def test_a_message_over_the_servers_limit_with_its_headers_is_refused(bus: Bus) -> None:
    """The server would close the connection over it: it is refused before it is sent, and the others are stored."""
    reconnects: list[None] = []
    bus.on_reconnect(lambda: reconnects.append(None))
    async with publishing(bus) as publisher, asyncio.timeout(4):
        told = await asyncio.gather(
            *(outcome(publisher, [message]) for message in (good(1), BAD["headers too large"], good(2)))
        )
    assert told == [True, False, True]
    assert reconnects == []


async def test_a_known_message_id_counts_as_stored(bus: Bus) -> None:
    """The server refuses a batch over one duplicate; its callers are told yes all the same, and it is there once."""
    once = {"Nats-Msg-Id": "once"}
    letters = [Outgoing("dlq.a", b"{}", once), Outgoing("dlq.b", b"{}", {}), Outgoing("dlq.a", b"{}", once)]
    async with publishing(bus) as publisher:
        await publisher.publish(letters[:1])
        assert all(await asyncio.gather(*(outcome(publisher, [letter]) for letter in letters)))
        await publisher.publish(letters)
    assert await stored(bus, Stream.DEADLETTERS) == {"dlq.a": 1, "dlq.b": 2}


async def test_absent_server_refuses_and_comes_back(nats_server: NatsServer, bus: Bus) -> None:
    """While the server is away nothing is acknowledged, within the time-out; after its return publishing goes on."""
    publisher = Publisher(bus, timeout=0.3)
    task = asyncio.create_task(publisher.run())
    assert await outcome(publisher, [good(1)])
    gone = asyncio.create_task(lost(bus))
    nats_server.kill()
    await gone
    began = time.monotonic()
    assert not any(await asyncio.gather(*(outcome(publisher, [good(number)]) for number in range(10))))
    assert time.monotonic() - began < 1
    nats_server.start()
    await reached(bus)
    assert await outcome(publisher, [good(2)])
    assert set(await stored(bus)) == {good(1).subject, good(2).subject}
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_was_on_its_way_is_answered_at_once_when_the_server_dies(nats_server: NatsServer, bus: Bus) -> None:
    """A publish whose answer can never come does not wait for its time-out, nor does what comes behind it."""
    async with publishing(bus) as publisher:
        nats_server.pause()
        waiting = [asyncio.create_task(outcome(publisher, [good(number)])) for number in range(3)]
        while not bus.nc._resp_map:  # noqa: ASYNC110  (a turn of the loop each, no wait)
            await asyncio.sleep(0)
        began = time.monotonic()
        nats_server.kill()
        assert await asyncio.gather(*waiting) == [False] * 3
        assert time.monotonic() - began < 2


async def test_a_stopped_publisher_refuses(bus: Bus) -> None:
    """Nobody waits for a publisher that runs no more: whoever still waits, and whoever comes later, is told."""
    publisher = Publisher(bus)
    task = asyncio.create_task(publisher.run())
    await publisher.publish([good(1)])
    waiting = asyncio.create_task(outcome(publisher, [good(2)]))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with asyncio.timeout(2):
        await waiting
        assert not await outcome(publisher, [good(3)])


async def test_full_storage_refuses_and_drops_nothing(tmp_path: Path) -> None:
    """Over the server's storage limit a publish is refused; what is stored stays stored."""
    server = NatsServer(tmp_path / "nats", max_file_store="300KB")
    server.start()
    try:
        async with connected(server) as bus, publishing(bus) as publisher:
            await ensure_topology(bus, 1)
            body = b"x" * 10_000
            messages = [Outgoing(good(number).subject, body, {}) for number in range(60)]
            told = [await outcome(publisher, [message]) for message in messages]
            told_together = await asyncio.gather(*(outcome(publisher, [message]) for message in messages[50:]))
            present = await stored(bus)
            assert told[0]
            assert not told[-1]
            assert not any(told_together)
            assert set(present) == {message.subject for message, said in zip(messages, told, strict=True) if said}
    finally:
        server.kill()
