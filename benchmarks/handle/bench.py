"""The measurement: the same stream for every party, each in a process of its own, one after the other in each round."""

import asyncio
import random
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import msgspec

from benchmarks import peers
from benchmarks.handle.plan import STREAM, Handled, Plan
from benchmarks.servers import child, nats_server
from benchmarks.table import Aim, Figure, Result, number, result
from bitbylaw.common.bus.connection import Bus, connect
from bitbylaw.common.bus.publisher import MAX_BATCH, Publisher, event_message
from bitbylaw.common.bus.topology import BucketName, StreamSpec, bucket_spec, ensure_topology
from bitbylaw.common.events import Action, Event, Kind
from bitbylaw.common.settings import NatsSettings
from bitbylaw.common.telemetry.trace import TraceParent

EVENTS, ENTITIES = 50_000, 1_000
OURS, BARE, FIELD = "worker", "bare nats-py loop", "FastStream"
#: Seconds a run may take.
TIMEOUT = 300.0

#: The aims, for handlers that take no time.
AIM_BARE, AIM_FIELD = Aim(0.5), Aim(1.0)


class PromiseBroken(Exception):
    """The worker broke its order, its exclusion, or left an event out."""


class Case(msgspec.Struct, frozen=True):
    """Handlers of `seconds` over a stream whose events are of `entities` different ones."""

    name: str
    seconds: float
    distinct: bool
    parties: tuple[str, ...]
    aimed: bool = False


CASES = (
    Case("0 ms, 1,000 entities", 0.0, distinct=False, parties=(OURS, BARE, FIELD), aimed=True),
    Case("5 ms, 1,000 entities", 0.005, distinct=False, parties=(OURS, BARE, FIELD)),
    Case("0 ms, every event of another entity", 0.0, distinct=True, parties=(OURS, BARE)),
)
MODULES = {OURS: "benchmarks.handle.ours", BARE: "benchmarks.handle.bare", FIELD: "benchmarks.handle.field"}

Samples = dict[tuple[str, str], list[Handled]]


def run(home: Path, *, rounds: int, scale: float, say: Callable[[str], None]) -> list[Result]:
    """All cases, `rounds` times; `scale` makes the stream shorter."""
    events = int(EVENTS * scale)
    field = peers.python(say)
    samples: Samples = defaultdict(list)
    durables = count(1)
    with ExitStack() as stack:
        urls = {}
        for distinct in (False, True):
            urls[distinct] = stack.enter_context(nats_server(home / ("distinct" if distinct else "shared")))
            asyncio.run(_fill(urls[distinct], events, distinct=distinct))
        for turn in range(rounds):
            for case in CASES:
                first = turn % len(case.parties)
                for party in case.parties[first:] + case.parties[:first]:
                    plan = Plan(urls[case.distinct], f"party{next(durables)}", events, case.seconds)
                    handled = _measure(home, plan, party, field)
                    samples[case.name, party].append(handled)
                    say(
                        f"round {turn + 1}  {case.name:<36} {party:<18}{events / handled.seconds:9,.0f} events/s  "
                        f"{handled.runs:,} runs"
                    )
    return list(_results(samples, events))


def _measure(home: Path, plan: Plan, party: str, field: str) -> Handled:
    argv, log = ["-m", MODULES[party], plan.text()], home / "party.log"
    with child(argv, log=log, python=field if party == FIELD else sys.executable) as running:
        running.hear(30)
        running.say("go")
        handled = Handled.read(running.hear(TIMEOUT))
    if handled.faults:
        raise PromiseBroken("; ".join(handled.faults))
    asyncio.run(_check(plan))
    return handled


async def _check(plan: Plan) -> None:
    """Whether the server, too, says that all is acknowledged; the consumer is then removed."""
    bus = await _connect(plan.url)
    try:
        info = await bus.js.consumer_info(STREAM, plan.durable)
        if info.num_pending or info.num_ack_pending:
            raise PromiseBroken(f"{info.num_pending} events never delivered, {info.num_ack_pending} unacknowledged")
        await bus.js.delete_consumer(STREAM, plan.durable)
    finally:
        await bus.close()


# --- the stream ----------------------------------------------------------------------------------------------------


async def _fill(url: str, events: int, *, distinct: bool) -> None:
    """The same events for every party, in a random order of entities; an event's id is its place in the stream."""
    bus = await _connect(url)
    everything = StreamSpec(name=STREAM, subjects=("vmh.*.*.*",), description="Every event, none replaced")
    await ensure_topology(bus, 1, (everything, bucket_spec(BucketName.LEASES, "Leases", in_memory=True)))
    publisher = Publisher(bus)
    publishing = asyncio.create_task(publisher.run())
    dice, trace, now = random.Random(1), TraceParent.new(), datetime.now(UTC)
    try:
        for start in range(0, events, MAX_BATCH):
            entities = (place if distinct else dice.randrange(ENTITIES) for place in range(start, start + MAX_BATCH))
            await publisher.publish(
                [
                    event_message(_event(entity, place, trace, now))
                    for place, entity in zip(range(start, min(start + MAX_BATCH, events)), entities, strict=False)
                ]
            )
    finally:
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
        await bus.close()


def _event(entity: int, place: int, trace: TraceParent, now: datetime) -> Event:
    return Event(Kind.DOCUMENT, Action.UPDATE, f"{entity:017x}", "bench", now, trace, id=str(place))


async def _connect(url: str) -> Bus:
    return await connect(NatsSettings(url, None, 1), "bench")


# --- figures -------------------------------------------------------------------------------------------------------


def _results(samples: Samples, events: int) -> Iterator[Result]:
    for case in CASES:
        ours = samples[case.name, OURS]
        runs = Figure.of(one.runs for one in ours).median
        for reference, aim in ((BARE, AIM_BARE), (FIELD, AIM_FIELD)):
            if reference not in case.parties:
                continue
            yield result(
                "handle",
                case.name,
                _rate(ours, events),
                "events/s",
                reference,
                _rate(samples[case.name, reference], events),
                aim=aim if case.aimed else None,
                note=f"ours: {number(events)} events in {number(runs)} runs; {_remark(case, reference)}",
            )


def _remark(case: Case, reference: str) -> str:
    if case.distinct:
        return "a lease for each, nothing to coalesce"
    return f"{reference} neither orders nor excludes" + (", 100 handlers side by side" if case.seconds else "")


def _rate(samples: Sequence[Handled], events: int) -> Figure:
    return Figure.of(events / one.seconds for one in samples)
