"""A worker whose runs never end, to be killed: `stuck_worker.py nats://…` says `running <entity>` when one is on."""

import asyncio
import sys

from tests.support.worker import Recorder, working

from bitbylaw.common.actors.run import Run
from bitbylaw.common.bus.connection import connect
from bitbylaw.common.settings import NatsSettings


async def hang(run: Run) -> None:
    """Say so, and never end."""
    sys.stdout.write(f"running {run.entity.key}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


async def main(url: str) -> None:
    """Work until killed."""
    bus = await connect(NatsSettings(url, None, 1), "stuck")
    sys.stdout.flush()
    async with working(bus, Recorder(hang)):
        await asyncio.Event().wait()


if __name__ == "__main__":
    import structlog

    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(main(sys.argv[1]))
