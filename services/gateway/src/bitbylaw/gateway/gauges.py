"""Figures of the bus that no single event tells: how many dead letters wait for a person."""

import asyncio

from nats.errors import Error as NatsError

from bitbylaw.common.bus.connection import Bus
from bitbylaw.common.bus.topology import Stream
from bitbylaw.common.telemetry.metrics import Metrics

#: Seconds between two looks.
EVERY = 15.0


async def watch_dead_letters(bus: Bus, metrics: Metrics) -> None:
    """Keep the gauge `dead_letters` true, until cancelled; while NATS is away it keeps its last value."""
    while True:
        try:
            info = await bus.js.stream_info(Stream.DEADLETTERS)
        except (NatsError, OSError, TimeoutError):
            await asyncio.sleep(1.0)
            continue
        metrics.dead_letters.set(info.state.messages)
        await asyncio.sleep(EVERY)
