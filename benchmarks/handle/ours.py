"""The worker as document-sync wires it, with real leases and settlement: `python -m benchmarks.handle.ours <plan>`."""

import asyncio
import random
import sys

import uvloop

from benchmarks.handle.plan import STREAM, SUBJECTS, Plan
from benchmarks.handle.recorder import Recorder
from benchmarks.handle.turn import Turn
from bitbylaw.common.actors.leases import Leases
from bitbylaw.common.actors.settlement import Settlement
from bitbylaw.common.actors.verdict import RetryPolicy
from bitbylaw.common.actors.worker import Worker
from bitbylaw.common.bus.connection import connect
from bitbylaw.common.bus.consumer import ConsumerSpec
from bitbylaw.common.bus.kv import Bucket
from bitbylaw.common.bus.publisher import Publisher
from bitbylaw.common.bus.topology import BucketName
from bitbylaw.common.settings import NatsSettings
from bitbylaw.common.telemetry.logging import LogFormat, LogLevel, configure_logging
from bitbylaw.common.telemetry.metrics import Metrics

SERVICE = "bench"


async def run(plan: Plan) -> None:
    """One run, then a drain."""
    configure_logging(SERVICE, LogFormat.JSON, LogLevel.INFO)
    bus = await connect(NatsSettings(plan.url, None, 1), SERVICE)
    metrics, turn = Metrics(), Turn(plan)
    events, dead_letters = Publisher(bus), Publisher(bus)
    leases = Leases(bus, Bucket(bus, BucketName.LEASES), SERVICE, ttl=10)
    recorder = Recorder(turn, plan.seconds)
    worker = Worker(
        bus,
        ConsumerSpec(stream=STREAM, durable=plan.durable, filters=(SUBJECTS,)),
        recorder,
        leases=leases,
        settlement=Settlement(
            events=events,
            dead_letters=dead_letters,
            metrics=metrics,
            service=SERVICE,
            policy=RetryPolicy(),
            jitter=random.random,
        ),
        metrics=metrics,
        service=SERVICE,
    )
    helpers = [asyncio.create_task(part.run()) for part in (events, dead_letters, leases)]
    await turn.begin()
    working = asyncio.create_task(worker.run())
    seconds = await turn.over(bus.nc)
    await worker.drain(10)
    await working
    turn.report(seconds, recorder.faults(plan.events))
    for helper in helpers:
        helper.cancel()
    await asyncio.gather(*helpers, return_exceptions=True)
    await bus.close()


if __name__ == "__main__":
    uvloop.run(run(Plan.read(sys.argv[1])))
