"""One entity, one run at a time, whatever number of events comes; many entities side by side."""

import asyncio
from itertools import pairwise

from tests.support.nats import NatsServer, connected
from tests.support.worker import Record, Recorder, all_acknowledged, event, publishing, working

from bitbylaw.common.actors.run import Run
from bitbylaw.common.bus.connection import Bus
from bitbylaw.common.bus.kv import Bucket
from bitbylaw.common.bus.topology import BucketName
from bitbylaw.common.events import Action, EntityRef


def overlaps(runs: list[Record]) -> list[tuple[Record, Record]]:
    """Pairs of runs of one entity that were on at the same time."""
    ordered = sorted(runs, key=lambda run: (run.entity, run.began))
    return [
        (first, second)
        for first, second in pairwise(ordered)
        if first.entity == second.entity and (first.ended is None or second.began < first.ended)
    ]


async def test_events_before_a_run_are_covered_by_it(bus: Bus) -> None:
    """Ten updates that wait are one message; with the other actions of the entity they make at most two runs."""
    recorder = Recorder()
    async with publishing(bus) as events:
        for _ in range(10):
            await events.publish_event(event(1))
        for action in Action:
            await events.publish_event(event(1, action))
    info = await bus.js.stream_info("EVENTS")
    assert info.state.messages == len(Action)
    async with working(bus, recorder):
        await recorder.until(lambda: sum(len(run.events) for run in recorder.runs) == len(Action))
        await all_acknowledged(bus)
    assert len(recorder.runs) <= 2
    assert overlaps(recorder.runs) == []


async def test_events_during_a_run_make_one_more(bus: Bus) -> None:
    """Ten events that come while a run is on are all covered by a single run that begins after the last of them."""
    go = asyncio.Event()

    async def wait(_: Run) -> None:
        await go.wait()

    recorder = Recorder(wait)
    async with working(bus, recorder) as rig:
        await rig.events.publish_event(event(1))
        await recorder.until(lambda: len(recorder.runs) == 1)
        entity = recorder.runs[0].entity
        for number in range(10):
            await rig.events.publish_event(event(1, list(Action)[number % len(Action)]))
        box = rig.worker._mailboxes[entity]
        # The consumer hands over in order: when another entity's event has come, all ten have.
        await rig.events.publish_event(event(2))
        await recorder.until(lambda: len(recorder.runs) == 2)
        assert len(box.waiting) >= len(Action)
        published_until = asyncio.get_running_loop().time()
        go.set()
        await recorder.until_ended(3)
        await all_acknowledged(bus)
    mine = [run for run in recorder.runs if run.entity == entity]
    assert len(mine) == 2
    assert mine[1].began >= published_until
    assert overlaps(recorder.runs) == []
    assert rig.metrics.events_coalesced._value.get() >= len(Action) - 1
    assert [key async for key in Bucket(bus, BucketName.LEASES).keys()] == []  # noqa: SIM118  (no mapping)


async def test_entities_run_side_by_side_up_to_the_limit(bus: Bus) -> None:
    """With `concurrency` 4 exactly four of twelve entities run at once, and in the end all have."""
    go = asyncio.Event()
    most = 0

    async def count(_: Run) -> None:
        nonlocal most
        most = max(most, len([run for run in recorder.runs if run.ended is None]))
        await go.wait()

    recorder = Recorder(count)
    async with working(bus, recorder, concurrency=4) as rig:
        await asyncio.gather(*(rig.events.publish_event(event(number)) for number in range(12)))
        await recorder.until(lambda: len(recorder.runs) == 4)
        assert len(rig.worker.running) == 4
        go.set()
        await recorder.until_ended(12)
        await all_acknowledged(bus)
    assert most == 4
    assert len({run.entity for run in recorder.runs}) == 12


async def test_two_replicas_never_run_one_entity_at_once(nats_server: NatsServer, bus: Bus) -> None:
    """Two workers share a consumer; events pour in for five entities; no entity ever has two runs at once."""

    async def work(_: Run) -> None:
        await asyncio.sleep(0.005)

    recorder = Recorder(work)
    async with connected(nats_server) as other, working(bus, recorder) as one, working(other, recorder) as two:
        for _ in range(20):
            await asyncio.gather(
                *(
                    rig.events.publish_event(event(number, action))
                    for rig, action in ((one, Action.UPDATE), (two, Action.LINK))
                    for number in range(5)
                )
            )
        last = asyncio.get_running_loop().time()
        await all_acknowledged(bus, within=15)
        await recorder.until(lambda: all(run.ended is not None for run in recorder.runs))
        handled = [rig.metrics.handler_seconds.labels("test")._sum.get() for rig in (one, two)]
    assert overlaps(recorder.runs) == []
    assert all(seconds > 0 for seconds in handled), "both replicas took part"
    for number in range(5):
        ended = max(run.ended or 0 for run in recorder.runs if run.entity.id == f"{number:017x}")
        assert ended >= last - 1, "the last events were looked at"


async def test_event_during_the_other_replicas_run_is_looked_at_after_it(nats_server: NatsServer, bus: Bus) -> None:
    """A replica that gets an event while the other one runs the entity waits, and begins when that run has ended."""
    go = asyncio.Event()

    async def wait(_: Run) -> None:
        await go.wait()

    first, second = Recorder(wait), Recorder()
    async with connected(nats_server) as other, working(bus, first) as one:
        await one.events.publish_event(event(1))
        await first.until(lambda: len(first.runs) == 1)
        one.worker.consumer.stop()
        async with working(other, second) as two:
            # Events of ten entities: what the first replica still gets of them does not matter.
            for number in range(2, 12):
                await two.events.publish_event(event(number))
            await second.until_ended(1)
            await two.events.publish_event(event(1, Action.LINK))
            entity = EntityRef("CDokumente", f"{1:017x}")
            assert entity not in {run.entity for run in second.runs}
            go.set()
            await second.until(lambda: any(run.entity == entity and run.ended for run in second.runs))
            await all_acknowledged(other)
    mine = next(run for run in second.runs if run.entity == entity)
    assert first.runs[0].ended is not None
    assert mine.began >= first.runs[0].ended
