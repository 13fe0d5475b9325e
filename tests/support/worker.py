"""A worker with all its parts on a real server, and a handler that records what it was asked to do."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import msgspec
from nats.js.api import ConsumerInfo

from bitbylaw.common.actors.leases import Leases
from bitbylaw.common.actors.run import Run
from bitbylaw.common.actors.settlement import Settlement
from bitbylaw.common.actors.verdict import RetryPolicy
from bitbylaw.common.actors.worker import Worker
from bitbylaw.common.bus.connection import Bus
from bitbylaw.common.bus.consumer import ConsumerSpec
from bitbylaw.common.bus.kv import Bucket
from bitbylaw.common.bus.publisher import Publisher
from bitbylaw.common.bus.topology import BucketName, Stream
from bitbylaw.common.events import Action, EntityRef, Event, Kind
from bitbylaw.common.telemetry.metrics import Metrics, Outcome
from bitbylaw.common.telemetry.trace import TraceParent

SERVICE = "test"
SPEC = ConsumerSpec(stream=Stream.EVENTS, durable=SERVICE, filters=("vmh.*.*.*",))
#: Retries come back almost at once.
FAST = RetryPolicy(max_attempts=3, base=0.02, cap=0.05)


def event(number: int = 0, action: Action = Action.UPDATE, *, attempt: int = 0) -> Event:
    """An event for the entity of that number."""
    entity_id = f"{number:017x}"
    return Event(Kind.DOCUMENT, action, entity_id, "test", datetime.now(UTC), TraceParent.new(), attempt)


class Record(msgspec.Struct):
    """One run: which entity, the failures before it, and from when to when (loop time; None while it runs)."""

    entity: EntityRef
    events: tuple[Event, ...]
    attempt: int
    began: float
    ended: float | None = None


class Recorder:
    """A handler that records its runs and does in them what `act` says; `act` may be replaced at any time."""

    def __init__(self, act: Callable[[Run], Awaitable[None]] | None = None) -> None:
        self.act = act
        self.runs: list[Record] = []
        self.given_up: list[tuple[EntityRef, BaseException]] = []
        self._changed = asyncio.Condition()

    async def handle(self, run: Run) -> Outcome:
        """Record the run around what `act` does."""
        loop = asyncio.get_running_loop()
        record = Record(run.entity, run.events, run.attempt, loop.time())
        self.runs.append(record)
        await self._say()
        try:
            if self.act is not None:
                await self.act(run)
        finally:
            record.ended = loop.time()
            await self._say()
        return Outcome.DONE

    async def give_up(self, run: Run, error: BaseException) -> None:
        """Record that an entity was given up."""
        self.given_up.append((run.entity, error))
        await self._say()

    async def until(self, condition: Callable[[], bool], *, within: float = 15.0) -> None:
        """Return when `condition` holds; looked at whenever something was recorded."""
        async with asyncio.timeout(within), self._changed:
            await self._changed.wait_for(condition)

    async def until_ended(self, count: int, *, within: float = 15.0) -> None:
        """Return when `count` runs have ended."""
        await self.until(lambda: len([run for run in self.runs if run.ended is not None]) >= count, within=within)

    async def _say(self) -> None:
        async with self._changed:
            self._changed.notify_all()


class Rig(msgspec.Struct, frozen=True):
    """A running worker and its parts."""

    bus: Bus
    events: Publisher
    leases: Leases
    worker: Worker
    metrics: Metrics


@asynccontextmanager
async def publishing(bus: Bus) -> AsyncIterator[Publisher]:
    """A publisher on `bus`, at work for the length of a block."""
    publisher = Publisher(bus)
    task = asyncio.create_task(publisher.run())
    try:
        yield publisher
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def working(
    bus: Bus,
    handler: Recorder,
    *,
    spec: ConsumerSpec = SPEC,
    policy: RetryPolicy = FAST,
    ttl: float = 10.0,
    concurrency: int = 32,
    max_run_seconds: float = 60.0,
) -> AsyncIterator[Rig]:
    """A worker at work on `bus` for the length of a block, drained at its end."""
    metrics = Metrics()
    async with publishing(bus) as events, publishing(bus) as dead_letters:
        leases = Leases(bus, Bucket(bus, BucketName.LEASES), SERVICE, ttl=ttl)
        settlement = Settlement(
            events=events,
            dead_letters=dead_letters,
            metrics=metrics,
            service=SERVICE,
            policy=policy,
            jitter=lambda: 0.5,
        )
        worker = Worker(
            bus,
            spec,
            handler,
            leases=leases,
            settlement=settlement,
            metrics=metrics,
            service=SERVICE,
            concurrency=concurrency,
            max_run_seconds=max_run_seconds,
        )
        tasks = [asyncio.create_task(leases.run()), asyncio.create_task(worker.run())]
        try:
            yield Rig(bus, events, leases, worker, metrics)
        finally:
            await worker.drain(5.0)
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                raise error


async def consumer(bus: Bus, spec: ConsumerSpec = SPEC) -> ConsumerInfo:
    """What the server says about the worker's consumer."""
    found: ConsumerInfo = await bus.js.consumer_info(spec.stream, spec.durable)
    return found


async def all_acknowledged(bus: Bus, spec: ConsumerSpec = SPEC, *, within: float = 5.0) -> None:
    """Return when the server knows of nothing that waits or is in somebody's hands.

    An acknowledgement has no answer, so the server is asked again until it has taken the last one in.
    """
    async with asyncio.timeout(within):
        while (info := await consumer(bus, spec)).num_ack_pending or info.num_pending:
            continue
