"""The end of a worker, in order and out of order: nothing is lost, nothing waits longer than it must."""

import asyncio
import signal
import time
from pathlib import Path

import pytest
from tests.support.nats import NatsServer, connected, lost, reached
from tests.support.process import environment, python
from tests.support.worker import SERVICE, SPEC, Recorder, all_acknowledged, consumer, event, publishing, working

from bitbylaw.common.actors.leases import Leases
from bitbylaw.common.actors.run import Run
from bitbylaw.common.bus.connection import Bus
from bitbylaw.common.bus.kv import Bucket
from bitbylaw.common.bus.topology import BucketName
from bitbylaw.common.errors import BusUnavailable, LeaseLost
from bitbylaw.common.events import Action

SCRIPT = Path(__file__).parent / "stuck_worker.py"


async def lease_keys(bus: Bus) -> list[str]:
    """Who is held just now."""
    return [key async for key in Bucket(bus, BucketName.LEASES).keys()]  # noqa: SIM118  (no mapping)


async def test_drain_ends_runs_and_hands_back_the_rest(nats_server: NatsServer, bus: Bus) -> None:
    """The run that is on ends; what waits goes to another replica at once; no lease stays behind."""
    go = asyncio.Event()

    async def wait(_: Run) -> None:
        await go.wait()

    first, second = Recorder(wait), Recorder()
    async with connected(nats_server) as other, working(bus, first, concurrency=1) as rig:
        for number in range(1, 6):
            await rig.events.publish_event(event(number))
        await first.until(lambda: len(first.runs) == 1)
        await rig.events.publish_event(event(1, Action.LINK))
        draining = asyncio.create_task(rig.worker.drain(10))
        async with working(other, second):
            await second.until_ended(4, within=5)
            running = first.runs[0].entity
            assert {run.entity for run in second.runs} == {event(number).entity for number in range(1, 6)} - {running}
            assert not draining.done()
            go.set()
            assert await draining
            await second.until_ended(5, within=5)
            await all_acknowledged(other)
    assert len(first.runs) == 1
    assert [run.entity for run in second.runs[4:]] == [running]
    assert second.runs[4].began >= (first.runs[0].ended or 0)
    assert await lease_keys(bus) == []


async def test_drain_that_takes_too_long_is_cut(bus: Bus) -> None:
    """A run that does not end within the grace is cancelled; its event stays unacknowledged for another worker."""

    async def hang(_: Run) -> None:
        await asyncio.Event().wait()

    recorder = Recorder(hang)
    async with working(bus, recorder) as rig:
        await rig.events.publish_event(event(1))
        await recorder.until(lambda: len(recorder.runs) == 1)
        assert not await rig.worker.drain(0.2)
        assert rig.worker.running == ()
    assert (await consumer(bus)).num_ack_pending == 1
    assert await lease_keys(bus) == []


async def test_drain_without_a_bus_ends_at_once(nats_server: NatsServer, bus: Bus) -> None:
    """A run that fails for the bus during a drain is not tried again until the grace is over: others will run it."""
    go = asyncio.Event()

    async def bus_away(_: Run) -> None:
        await go.wait()
        raise BusUnavailable("away")

    recorder = Recorder(bus_away)
    async with working(bus, recorder) as rig:
        await rig.events.publish_event(event(1))
        await recorder.until(lambda: len(recorder.runs) == 1)
        gone = asyncio.create_task(lost(bus))
        nats_server.kill()
        await gone
        began = time.monotonic()
        draining = asyncio.create_task(rig.worker.drain(10))
        await asyncio.sleep(0)
        go.set()
        assert await draining
        assert time.monotonic() - began < 3


async def test_a_drained_run_stays_ours_until_it_ends(nats_server: NatsServer, bus: Bus) -> None:
    """A run that outlives `ack_wait` during a drain still reports progress: nobody else gets its message."""
    spec = type(SPEC)(SPEC.stream, "short", SPEC.filters, ack_wait=1.0)
    go = asyncio.Event()

    async def wait(_: Run) -> None:
        await go.wait()

    recorder, other_recorder = Recorder(wait), Recorder()
    async with connected(nats_server) as other, working(bus, recorder, spec=spec) as rig:
        await rig.events.publish_event(event(1))
        await recorder.until(lambda: len(recorder.runs) == 1)
        draining = asyncio.create_task(rig.worker.drain(10))
        async with working(other, other_recorder, spec=spec):
            await asyncio.sleep(1.8)  # longer than ack_wait: nothing must happen meanwhile
            assert not (await consumer(bus, spec)).num_redelivered
            go.set()
            assert await draining
            await all_acknowledged(other, spec)
    assert other_recorder.runs == []


async def test_bus_away_during_a_run_costs_nothing(nats_server: NatsServer, bus: Bus) -> None:
    """The run's next write is refused, the event is run again when the bus is back; no attempt counted, none lost."""
    back = asyncio.Event()
    refused: list[str] = []

    async def write_later(run: Run) -> None:
        if len(recorder.runs) == 1:
            gone = asyncio.create_task(lost(bus))
            nats_server.kill()
            await gone
            with pytest.raises(LeaseLost) as error:
                run.lease.guard()
            refused.append(str(error.value))
            back.set()
            raise error.value
        run.lease.guard()

    recorder = Recorder(write_later)
    async with working(bus, recorder) as rig:
        await rig.events.publish_event(event(1))
        await back.wait()
        nats_server.start()
        await reached(bus)
        await recorder.until_ended(2)
        await all_acknowledged(bus)
    assert refused
    assert {run.attempt for run in recorder.runs} == {0}
    assert {run.entity for run in recorder.runs} == {event(1).entity}


async def test_no_run_begins_under_a_lost_lease(bus: Bus) -> None:
    """An event that came during a run whose lease went to somebody else waits for that other holder."""
    go = asyncio.Event()
    entity = event(1).entity

    async def wait(_: Run) -> None:
        await go.wait()

    recorder = Recorder(wait)
    async with working(bus, recorder) as rig:
        await rig.events.publish_event(event(1))
        await recorder.until(lambda: len(recorder.runs) == 1)
        await rig.events.publish_event(event(1, Action.LINK))
        await rig.events.publish_event(event(2))
        await recorder.until(lambda: len(recorder.runs) == 2)
        # Somebody removes our lease and takes it: our next renewal finds that out.
        (lease,) = [lease for lease in rig.leases.held if lease.entity == entity]
        bucket = Bucket(bus, BucketName.LEASES)
        assert await bucket.remove(lease.revision)
        other = Leases(bus, bucket, SERVICE, ttl=10)
        theirs = await other.acquire(entity)
        await rig.leases._each(rig.leases._renew)
        assert not lease.alive
        go.set()
        await recorder.until_ended(2)
        await all_but(bus, 1)
        assert len(recorder.runs) == 2
        await other.release(theirs)
        await recorder.until_ended(3)
    assert recorder.runs[2].entity == entity


async def all_but(bus: Bus, count: int) -> None:
    """Return when the server knows of `count` messages that are in somebody's hands, and of none that wait."""
    async with asyncio.timeout(5):
        while (info := await consumer(bus)).num_ack_pending != count or info.num_pending:
            continue


async def test_killed_process_is_taken_over(nats_server: NatsServer, bus: Bus) -> None:
    """SIGKILL in the middle of a run: within 15 seconds another worker has run the entity's event."""
    recorder = Recorder()
    with python([str(SCRIPT), nats_server.url], environment()) as process:
        async with publishing(bus) as events:
            await events.publish_event(event(1))
        assert process.stdout is not None
        line = await asyncio.to_thread(process.stdout.readline)
        assert line == f"running {event(1).entity.key}\n"
        assert len(await lease_keys(bus)) == 1
        process.send_signal(signal.SIGKILL)
        process.wait()
        began = time.monotonic()
        async with working(bus, recorder):
            await recorder.until_ended(1, within=15)
            await all_acknowledged(bus)
        assert time.monotonic() - began < 15
    assert [(run.entity, run.attempt) for run in recorder.runs] == [(event(1).entity, 0)]
