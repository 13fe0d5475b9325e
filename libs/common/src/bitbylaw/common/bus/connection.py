"""The connection to NATS: reconnects for ever, fails at once while it is away, says so once.

nats-py 2.16 stays behind this module and its neighbours in `bus`; nothing else imports it.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextlib import suppress

from nats.aio.client import Client
from nats.errors import ConnectionReconnectingError
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from bitbylaw.common.errors import BusUnavailable
from bitbylaw.common.settings import NatsSettings
from bitbylaw.common.telemetry.logging import get_logger

#: Seconds between two tries to reach the server; nats-py's own default of 2 s would triple the outage of a restart.
RECONNECT_WAIT = (0.1, 0.25)
#: A server that answers no ping for two of these (seconds) counts as gone.
PING_INTERVAL = 5
#: Seconds JetStream may take for an answer.
API_TIMEOUT = 5.0

log = get_logger("bus")


def _reconnect_wait() -> float:
    """A little different in every process, so that they do not all come back in the same instant."""
    low, high = RECONNECT_WAIT
    return low + random.random() * (high - low)  # noqa: S311  (jitter)


class Bus:
    """One process's connection. `on_disconnect` and `on_reconnect` callbacks run on the event loop, in order."""

    def __init__(self) -> None:
        self.nc = Client()
        self._js: JetStreamContext | None = None
        self._up = asyncio.Event()
        self._closing = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._on_disconnect: list[Callable[[], None]] = []
        self._on_reconnect: list[Callable[[], object]] = []

    @property
    def js(self) -> JetStreamContext:
        """JetStream's API; only after `connect`."""
        if self._js is None:
            raise BusUnavailable("not connected to NATS yet")
        return self._js

    @property
    def connected(self) -> bool:
        """Whether a server is reached right now."""
        return self._up.is_set()

    def on_disconnect(self, callback: Callable[[], None]) -> None:
        """Call `callback` whenever the server is lost."""
        self._on_disconnect.append(callback)

    def on_reconnect(self, callback: Callable[[], object]) -> None:
        """Call `callback` whenever a server is reached again (not at the first connection)."""
        self._on_reconnect.append(callback)

    def spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run `work` beside everything else, at most until `close`."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def connect(self, settings: NatsSettings, name: str) -> None:
        """Reach a server, trying until one answers: a service may start before its bus."""
        await self.nc.connect(
            servers=[server.strip() for server in settings.url.split(",")],
            name=name,
            allow_reconnect=True,
            max_reconnect_attempts=-1,
            reconnect_time_wait=_reconnect_wait(),  # type: ignore[arg-type]  # seconds; a fraction works
            ping_interval=PING_INTERVAL,
            max_outstanding_pings=2,
            connect_timeout=2,
            # 0: a publish while disconnected fails at once, so that nobody waits for an answer to what was never sent.
            pending_size=0,
            user_credentials=str(settings.creds_file) if settings.creds_file else None,
            error_cb=self._error,
            disconnected_cb=self._disconnected,
            reconnected_cb=self._reconnected,
        )
        self._js = self.nc.jetstream(timeout=API_TIMEOUT)
        self._up.set()
        url = self.nc.connected_url
        # Not the whole address: it may carry a password.
        log.info("bus_connected", server=f"{url.hostname}:{url.port}" if url else None)

    async def wait_connected(self, timeout: float) -> None:
        """Return when a server is reached.

        Raises:
            BusUnavailable: none was within `timeout` seconds.
        """
        if self._up.is_set():
            return
        try:
            async with asyncio.timeout(timeout):
                await self._up.wait()
        except TimeoutError:
            raise BusUnavailable("NATS is not reachable") from None

    async def until_connected(self) -> None:
        """Return when a server is reached, however long that takes."""
        await self._up.wait()

    async def close(self) -> None:
        """Send what is pending and leave."""
        self._closing = True
        with suppress(NatsError, OSError, TimeoutError):
            if self.connected:
                await self.nc.flush(timeout=2)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.nc.close()

    async def _error(self, error: Exception) -> None:
        # While disconnected every try to reconnect reports its failure here; the disconnect was logged once.
        if self.connected:
            log.warning("bus_error", error=type(error).__name__)

    async def _disconnected(self) -> None:
        if self._up.is_set():
            self._up.clear()
            if not self._closing:
                log.warning("bus_disconnected")
            self._fail_requests()
            for callback in self._on_disconnect:
                callback()

    def _fail_requests(self) -> None:
        """Tell everybody who waits for an answer that none can come any more; nats-py would let them time out."""
        for waiting in list(self.nc._resp_map.values()):  # noqa: SLF001  (no public way to them)
            if not waiting.done():
                waiting.set_exception(ConnectionReconnectingError())

    async def _reconnected(self) -> None:
        self._up.set()
        log.info("bus_reconnected")
        for callback in self._on_reconnect:
            callback()


async def connect(settings: NatsSettings, name: str) -> Bus:
    """A connected bus for the process `name`."""
    bus = Bus()
    await bus.connect(settings, name)
    return bus
