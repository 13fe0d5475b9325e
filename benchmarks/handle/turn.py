"""The same stopwatch for every party: ready, go, until the server has every acknowledgement."""

import asyncio
import sys
import time

from nats.aio.client import Client

from benchmarks.handle.plan import STREAM, Handled, Plan

#: Seconds between two looks at the consumer once everything was handled.
LOOK = 0.005


class Turn:
    """Counts what was handled."""

    def __init__(self, plan: Plan) -> None:
        self._wanted = plan.events
        self._plan = plan
        self._covered = 0
        self._all = asyncio.Event()
        self._began = 0.0
        self.runs = 0

    async def begin(self) -> None:
        """Say that everything stands, and wait for the word to start."""
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        self._began = time.perf_counter()

    def handled(self, events: int = 1) -> None:
        """Note a run over `events` events."""
        self.runs += 1
        self._covered += events
        if self._covered >= self._wanted:
            self._all.set()

    async def over(self, connection: Client) -> float:
        """Wait until everything is handled and acknowledged; the seconds it took."""
        await self._all.wait()
        jetstream = connection.jetstream()
        while True:
            info = await jetstream.consumer_info(STREAM, self._plan.durable)
            if info.num_pending == 0 and info.num_ack_pending == 0:
                return time.perf_counter() - self._began
            await asyncio.sleep(LOOK)

    def report(self, seconds: float, faults: tuple[str, ...] = ()) -> None:
        """Print the result."""
        sys.stdout.write(Handled(seconds, self.runs, faults).text() + "\n")
        sys.stdout.flush()
