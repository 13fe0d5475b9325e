"""Figures of the bus."""

import asyncio

import pytest
from tests.support.nats import NatsServer, reached

from bitbylaw.common.bus.connection import Bus
from bitbylaw.common.telemetry.metrics import Metrics
from bitbylaw.gateway import gauges


async def test_waiting_dead_letters_are_counted(
    nats_server: NatsServer, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gauge shows how many dead letters wait, also after NATS was away."""
    monkeypatch.setattr(gauges, "EVERY", 0.02)
    metrics = Metrics()

    async def shows(count: int) -> None:
        async with asyncio.timeout(15):
            while metrics.registry.get_sample_value("bitbylaw_dead_letters") != count:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    task = asyncio.create_task(gauges.watch_dead_letters(bus, metrics))
    try:
        for count in (1, 2):
            await bus.js.publish("dlq.vmh.document.update", b"{}")
            await shows(count)
        nats_server.restart()
        await reached(bus)
        await shows(2)
        assert not task.done()
    finally:
        task.cancel()
