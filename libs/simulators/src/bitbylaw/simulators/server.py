"""Start and stop a simulator's application: inside a test, or as a process of its own."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web

DRAIN_SECONDS = 10.0
"""How long requests that are being answered may still take when the server stops."""


class RunningServer(msgspec.Struct, frozen=True):
    """A server that listens; `url` has no trailing slash."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """Where it listens, `http://host:port`."""
        return f"http://{self.host}:{self.port}"


@asynccontextmanager
async def serve(
    app: web.Application, port: int = 0, host: str = "127.0.0.1", drain_seconds: float = 0.1
) -> AsyncIterator[RunningServer]:
    """Serve the application until the block ends; port 0 takes a free one. Raises `OSError` when the port is taken."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=drain_seconds)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, reuse_address=True)
        await site.start()
        address = runner.addresses[0]
        yield RunningServer(host=host, port=int(address[1]))
    finally:
        await runner.cleanup()


async def serve_until_stopped(
    app: web.Application, port: int, host: str, announcement: Mapping[str, object] | None = None
) -> None:
    """Serve as a process: print one line of JSON with the address when ready, and drain on SIGTERM or SIGINT.

    The line holds `url`, `port` and whatever `announcement` adds.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with serve(app, port, host, drain_seconds=DRAIN_SECONDS) as server:
        line = {"url": server.url, "port": server.port, **(announcement or {})}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        await stopped.wait()
