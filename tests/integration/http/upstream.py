"""A server on a real socket that answers as a test says, and a client of ours for it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web

from bitbylaw.common.http.breaker import Breaker
from bitbylaw.common.http.circuit import BreakerPolicy
from bitbylaw.common.http.client import UpstreamClient
from bitbylaw.common.telemetry.metrics import Metrics

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
KEY = "k-throw-away-12345"
NEVER_OPENS = BreakerPolicy(failures=1_000_000)


class Upstream(msgspec.Struct):
    """The running server, what it was asked, and a client for it with its metrics."""

    url: str
    client: UpstreamClient
    metrics: Metrics
    asked: list[web.Request]

    def counted(self, status: str, operation: str = "op") -> float:
        """How many calls ended with `status`."""
        labels = {"system": "sys", "operation": operation, "status": status}
        return self.metrics.registry.get_sample_value("bitbylaw_upstream_requests_total", labels) or 0


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """A server that answers every request with `handler`; its address."""
    app = web.Application(client_max_size=0)
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def upstream(
    handler: Handler,
    *,
    timeout: float = 20.0,
    concurrency: int = 8,
    policy: BreakerPolicy = NEVER_OPENS,
) -> AsyncIterator[Upstream]:
    """A server with a client for it; the breaker never opens unless `policy` lets it."""
    metrics = Metrics()
    asked: list[web.Request] = []

    async def remember(request: web.Request) -> web.StreamResponse:
        asked.append(request)
        return await handler(request)

    async with (
        serving(remember) as url,
        UpstreamClient(
            system="sys",
            base_url=url + "/v1",
            metrics=metrics,
            headers={"Authorization": f"Bearer {KEY}"},
            timeout=timeout,
            concurrency=concurrency,
            breaker=Breaker("sys", metrics, policy=policy),
        ) as client,
    ):
        yield Upstream(url, client, metrics, asked)


@asynccontextmanager
async def nobody_there() -> AsyncIterator[Upstream]:
    """A client for a port that refuses connections (bound, so that nobody else takes it, but not listening)."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        metrics = Metrics()
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        breaker = Breaker("sys", metrics, policy=BreakerPolicy(failures=4))
        async with UpstreamClient(system="sys", base_url=url, metrics=metrics, breaker=breaker) as client:
            yield Upstream(url, client, metrics, [])


def answering(*answers: web.Response | int, **headers: str) -> Handler:
    """A handler that gives these answers in turn, the last one for ever."""
    left = list(answers)

    async def handle(_request: web.Request) -> web.StreamResponse:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, int):
            return web.Response(status=answer, headers={name.replace("_", "-"): text for name, text in headers.items()})
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)

    return handle


def cut(request: web.Request) -> None:
    """Cut the connection of `request`."""
    if request.transport is not None:
        request.transport.abort()


async def forever(_request: web.Request) -> web.StreamResponse:
    """A handler that never answers."""
    await asyncio.Event().wait()
    raise AssertionError
