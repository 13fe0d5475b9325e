"""What a call passes before it goes out: so many at once, so many a second, no pause, no open breaker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiolimiter import AsyncLimiter

from bitbylaw.common.http.breaker import Breaker, Permit
from bitbylaw.common.http.pause import Pause


class Gate:
    """The limits of one system. `rate` is in calls per second, None for no bound."""

    def __init__(self, breaker: Breaker, *, concurrency: int, rate: float | None) -> None:
        self.pause = Pause(breaker.system)
        self._breaker = breaker
        self._slots = asyncio.Semaphore(concurrency)
        # AsyncLimiter lets no single call through when its capacity is below 1.
        self._limiter = AsyncLimiter(max(rate, 1.0), max(1.0, 1.0 / rate)) if rate is not None else None

    @asynccontextmanager
    async def passing(self) -> AsyncIterator[Permit]:
        """Wait for all limits; hold the slot while the call is on its way.

        Raises:
            UpstreamDown: the breaker is open.
            RateLimited: the upstream asked for a long pause.
        """
        self._breaker.check()  # do not queue behind calls that are timing out
        async with self._slots:
            if self._limiter is not None:
                await self._limiter.acquire()
            permit = await self._admit()
            try:
                yield permit
            finally:
                self._breaker.release(permit)

    async def _admit(self) -> Permit:
        while True:
            await self.pause.wait()
            permit = await self._breaker.admit()
            if not self.pause.left:
                return permit
            self._breaker.release(permit)  # the probe that was waited for came back with a pause
