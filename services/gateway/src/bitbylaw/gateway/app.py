"""The gateway's wiring."""

import asyncio
from contextlib import AsyncExitStack

from aiohttp import web

from bitbylaw.common.bus.connection import connect
from bitbylaw.common.bus.publisher import Publisher
from bitbylaw.common.bus.topology import ensure_topology
from bitbylaw.common.service.ops import serving
from bitbylaw.common.service.process import Context
from bitbylaw.common.service.tasks import Tasks
from bitbylaw.common.telemetry.logging import get_logger
from bitbylaw.gateway.gauges import watch_dead_letters
from bitbylaw.gateway.inbox import Inbox
from bitbylaw.gateway.openapi import openapi
from bitbylaw.gateway.settings import Settings
from bitbylaw.gateway.webhooks import HARD_LIMIT, Webhooks

#: Seconds without a turn of the pull loop after which the process counts as stuck.
STUCK = 30.0

log = get_logger("gateway")


async def serve(settings: Settings, context: Context) -> None:
    """Serve until `context.stop`, then drain: the door closes, what is in hand is finished."""
    async with AsyncExitStack() as stack:
        bus = await connect(settings.nats, "gateway")
        stack.push_async_callback(bus.close)
        await ensure_topology(bus, settings.nats.replicas)
        tasks = await stack.enter_async_context(Tasks(context.stop))
        events, dead_letters = Publisher(bus), Publisher(bus)
        tasks.start("events", events.run())
        tasks.start("dead_letters", dead_letters.run())
        inbox = Inbox(bus, events=events, dead_letters=dead_letters)
        tasks.start("inbox", inbox.run())
        tasks.start("gauges", watch_dead_letters(bus, context.metrics))
        stack.push_async_callback(inbox.drain)
        app = gateway_app(Webhooks(settings, events=events, dead_letters=dead_letters, metrics=context.metrics))
        port = await stack.enter_async_context(serving(app, settings.host, settings.port))
        context.health.ready_if("bus", lambda: None if bus.connected else "NATS is away")
        loop = asyncio.get_running_loop()
        context.health.alive_if("inbox", lambda: None if loop.time() - inbox.consumer.last_turn < STUCK else "stuck")
        context.health.started()
        log.info("gateway_ready", port=port)
        await tasks.until_stopped()


def gateway_app(webhooks: Webhooks) -> web.Application:
    """The HTTP application: the webhooks and the description of itself."""
    app = web.Application(client_max_size=HARD_LIMIT)
    webhooks.add_routes(app.router)
    description = openapi()

    async def describe(_: web.Request) -> web.Response:
        return web.json_response(description)

    app.router.add_get("/openapi.json", describe)
    return app
