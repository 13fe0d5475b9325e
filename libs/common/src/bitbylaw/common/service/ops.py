"""The operations port of every service: /healthz, /readyz, /metrics."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from bitbylaw.common.service.health import Health, Report
from bitbylaw.common.telemetry.logging import get_logger
from bitbylaw.common.telemetry.metrics import Metrics

log = get_logger("ops")


def ops_app(health: Health, metrics: Metrics) -> web.Application:
    """The application of the operations port."""
    app = web.Application()

    def answer(report: Callable[[], Report]) -> Callable[[web.Request], object]:
        async def respond(_: web.Request) -> web.Response:
            state = report()
            return web.json_response(body=msgspec.json.encode(state), status=200 if state.ok else 503)

        return respond

    async def scrape(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app.router.add_get("/healthz", answer(health.live))  # type: ignore[arg-type]  # a handler, built by a closure
    app.router.add_get("/readyz", answer(health.ready))  # type: ignore[arg-type]  # same
    app.router.add_get("/metrics", scrape)
    return app


@asynccontextmanager
async def serving(app: web.Application, host: str, port: int, *, access_log: bool = False) -> AsyncIterator[int]:
    """Serve `app` for the length of a block; the port it really listens on.

    Raises:
        OSError: the port is taken.
    """
    runner = web.AppRunner(app, access_log=None if not access_log else get_logger("access"), handle_signals=False)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, backlog=1024)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
