"""The pull consumer: everything comes, in order, never more than there is room for, whatever happens to the server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
from nats.js.api import ConsumerInfo
from tests.support.nats import NatsServer, lost, reached
from tests.support.worker import event

from bitbylaw.common.bus.connection import Bus
from bitbylaw.common.bus.consumer import ConsumerSpec, Delivery, PullConsumer, ensure_consumer
from bitbylaw.common.bus.topology import Stream

SPEC = ConsumerSpec(stream=Stream.EVENTS, durable="pull", filters=("vmh.>",))


class Sink:
    """Takes what a consumer delivers; `room` as much as it is told."""

    def __init__(self, bus: Bus, *, room: int = 100, spec: ConsumerSpec = SPEC) -> None:
        self.room = room
        self.held: list[Delivery] = []
        self.most = 0
        self.came: asyncio.Queue[Delivery] = asyncio.Queue()
        self.gate: Callable[[], Awaitable[None]] | None = None
        self.bus = bus
        self.consumer = PullConsumer(bus, spec, deliver=self._take, room=self._room, gate=self._gate)

    def _room(self) -> int:
        return self.room - len(self.held)

    async def _gate(self) -> None:
        if self.gate is not None:
            await self.gate()

    def _take(self, delivery: Delivery) -> None:
        self.held.append(delivery)
        self.most = max(self.most, len(self.held))
        self.came.put_nowait(delivery)

    async def take(self, count: int, *, within: float = 10.0) -> list[Delivery]:
        """The next `count` deliveries."""
        async with asyncio.timeout(within):
            return [await self.came.get() for _ in range(count)]

    async def settle(self, delivery: Delivery) -> None:
        """Acknowledge and make room."""
        await delivery.ack()
        self.held.remove(delivery)
        self.consumer.settled()

    @asynccontextmanager
    async def pulling(self) -> AsyncIterator[None]:
        """Pull for the length of a block."""
        task = asyncio.create_task(self.consumer.run())
        try:
            yield
        finally:
            self.consumer.stop()
            await task


async def publish(bus: Bus, numbers: range) -> None:
    """An event for the entity of each number."""
    for number in numbers:
        await bus.js.publish(event(number).subject, event(number).payload())


async def info(bus: Bus, spec: ConsumerSpec = SPEC) -> ConsumerInfo:
    """What the server says of the consumer."""
    found: ConsumerInfo = await bus.js.consumer_info(spec.stream, spec.durable)
    return found


async def test_everything_comes_in_order_and_within_room(bus: Bus) -> None:
    """Three hundred messages through room for seven: in the stream's order, never more in hand, none twice."""
    await ensure_consumer(bus, SPEC)
    await publish(bus, range(300))
    sink = Sink(bus, room=7)
    sequences = []
    async with sink.pulling():
        for _ in range(300):
            (delivery,) = await sink.take(1)
            sequences.append(delivery.sequence)
            assert not delivery.redelivered
            await sink.settle(delivery)
    assert sequences == list(range(1, 301))
    assert sink.most <= 7


async def test_room_counts_what_is_on_its_way(bus: Bus) -> None:
    """A second request asks only for what the first leaves: together they never bring more than there is room for."""
    await ensure_consumer(bus, SPEC)
    sink = Sink(bus, room=8)
    async with sink.pulling():
        await publish(bus, range(7))
        taken = await sink.take(7)  # one of eight is still on its way
        for delivery in taken[:4]:
            await sink.settle(delivery)
        async with asyncio.timeout(5):
            while (await info(bus)).num_waiting != 2:
                continue
        await publish(bus, range(7, 20))
        await sink.take(5)
        assert (await info(bus)).num_ack_pending == 8
        assert len(sink.held) == 8


async def test_no_room_no_message_until_something_is_settled(bus: Bus) -> None:
    """A full worker leaves the rest in the stream for others; one settled message lets the next come at once."""
    await ensure_consumer(bus, SPEC)
    await publish(bus, range(10))
    sink = Sink(bus, room=4)
    async with sink.pulling():
        first = await sink.take(4)
        before = await info(bus)
        assert (before.num_ack_pending, before.num_pending) == (4, 6)
        await sink.settle(first[0])
        (fifth,) = await sink.take(1, within=0.9)
        assert fifth.sequence == 5


async def test_waiting_consumer_gets_a_message_at_once(bus: Bus) -> None:
    """The request is open before the message is there."""
    await ensure_consumer(bus, SPEC)
    sink = Sink(bus)
    async with sink.pulling():
        async with asyncio.timeout(5):
            while not (await info(bus)).num_waiting:
                continue
        await publish(bus, range(1))
        assert (await sink.take(1, within=0.9))[0].subject == event(0).subject


async def test_servers_death_loses_no_message(nats_server: NatsServer, bus: Bus) -> None:
    """Killed and back: what was unacknowledged and what is new both come, without waiting for lost requests."""
    spec = msgspec.structs.replace(SPEC, ack_wait=1.0)
    await ensure_consumer(bus, spec)
    await publish(bus, range(20))
    sink = Sink(bus, room=1000, spec=spec)
    async with sink.pulling():
        taken = await sink.take(20)
        for delivery in taken[:10]:
            await sink.settle(delivery)
        await bus.nc.flush()
        gone = asyncio.create_task(lost(bus))
        nats_server.restart()
        await gone
        await reached(bus)
        await publish(bus, range(20, 25))
        seen: set[int] = set()
        async with asyncio.timeout(4):  # sooner than a lost request would be noticed without the reconnect
            while not set(range(11, 26)) <= seen:
                seen.add((await sink.came.get()).sequence)


async def test_deleted_consumer_is_made_again(bus: Bus) -> None:
    """Somebody removes the durable consumer: it is created anew, and events go on coming."""
    await ensure_consumer(bus, SPEC)
    sink = Sink(bus)
    async with sink.pulling():
        await publish(bus, range(1))
        await sink.settle((await sink.take(1))[0])
        await bus.js.delete_consumer(SPEC.stream, SPEC.durable)
        await publish(bus, range(1, 2))
        async with asyncio.timeout(5):
            while event(1).subject not in {delivery.subject for delivery in await sink.take(1)}:
                continue


async def test_closed_gate_pauses(bus: Bus) -> None:
    """While the gate is closed nothing is asked for, the loop still turns, and its opening lets everything come."""
    await ensure_consumer(bus, SPEC)
    gate = asyncio.Event()
    asked = asyncio.Event()

    async def wait() -> None:
        asked.set()
        await gate.wait()

    sink = Sink(bus)
    sink.gate = wait
    async with sink.pulling():
        await asked.wait()
        first_turn = sink.consumer.last_turn
        await publish(bus, range(3))
        asked.clear()
        await asked.wait()  # a second later the gate is asked again
        assert sink.consumer.last_turn > first_turn
        assert sink.held == []
        assert (await info(bus)).num_waiting == 0
        gate.set()
        await sink.take(3)


async def test_stop_ends_the_loop_and_its_request(bus: Bus) -> None:
    """After `stop` the loop ends at once, and the server keeps nothing open that a message could be lost in."""
    await ensure_consumer(bus, SPEC)
    sink = Sink(bus)
    async with asyncio.timeout(1), sink.pulling():
        while not (await info(bus)).num_waiting:
            continue
    await publish(bus, range(1))
    other = Sink(bus)
    async with other.pulling():
        (delivery,) = await other.take(1, within=2)
    assert not delivery.redelivered
    assert sink.held == []


async def test_progress_keeps_a_message_and_nak_hands_it_on(bus: Bus) -> None:
    """Reported on, a message stays ours beyond `ack_wait`; silent, it comes again; handed back, it does so at once."""
    spec = msgspec.structs.replace(SPEC, ack_wait=0.5)
    await ensure_consumer(bus, spec)
    await publish(bus, range(3))
    sink = Sink(bus, spec=spec)
    async with sink.pulling():
        ours, silent, returned = await sink.take(3)
        await returned.nak()
        (again,) = await sink.take(1, within=0.4)
        assert again.sequence == returned.sequence
        assert again.redelivered
        await again.ack()
        for _ in range(2):  # until the silent one has come twice, more than two times ack_wait
            coming = asyncio.create_task(sink.take(1, within=2))
            while not coming.done():
                await ours.progress()
                await asyncio.wait({coming}, timeout=0.1)
            assert [delivery.sequence for delivery in coming.result()] == [silent.sequence]
        await ours.ack()


async def test_filters_of_a_consumer_are_corrected(bus: Bus) -> None:
    """A new version of a service that wants other subjects gets them on its old durable."""
    await ensure_consumer(bus, SPEC)
    await ensure_consumer(bus, msgspec.structs.replace(SPEC, filters=("vmh.account.>", "vmh.document.>")))
    assert (await info(bus)).config.filter_subjects == ["vmh.account.>", "vmh.document.>"]
