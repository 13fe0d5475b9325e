"""A gateway on a real bus, reached over a real socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import msgspec
import pytest
from tests.support.recorded import recorded_webhooks

from bitbylaw.common.bus.connection import Bus
from bitbylaw.common.bus.publisher import Publisher
from bitbylaw.common.service.ops import serving
from bitbylaw.common.settings import NatsSettings
from bitbylaw.common.telemetry.metrics import Metrics
from bitbylaw.gateway.app import gateway_app
from bitbylaw.gateway.inbox import Inbox
from bitbylaw.gateway.settings import Settings, WebhookAuth
from bitbylaw.gateway.webhooks import Webhooks

SECRETS = tuple((recorded.webhook_id, recorded.secret) for recorded in recorded_webhooks())
SETTINGS = Settings(
    nats=NatsSettings("", None, 1),
    host="127.0.0.1",
    port=0,
    api_keys=(("tests", "a-key"),),
    webhook_auth=WebhookAuth.SIGNATURE,
    webhook_secrets=SECRETS,
    max_body_bytes=1024 * 1024,
)


class Gateway(msgspec.Struct):
    """A running gateway and a client for it."""

    url: str
    bus: Bus
    metrics: Metrics
    session: aiohttp.ClientSession

    async def post(self, path: str, body: bytes, **headers: str) -> tuple[int, dict[str, object]]:
        """Status and JSON of the answer."""
        async with self.session.post(self.url + path, data=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def stored(self, stream: str) -> int:
        """How many messages a stream holds."""
        return (await self.bus.js.stream_info(stream)).state.messages


@asynccontextmanager
async def running(bus: Bus, settings: Settings = SETTINGS) -> AsyncIterator[Gateway]:
    """The gateway on `bus` for the length of a block."""
    metrics = Metrics()
    events, dead_letters = Publisher(bus, timeout=2.0), Publisher(bus, timeout=2.0)
    inbox = Inbox(bus, events=events, dead_letters=dead_letters)
    tasks = [asyncio.create_task(part.run()) for part in (events, dead_letters, inbox)]
    app = gateway_app(Webhooks(settings, events=events, dead_letters=dead_letters, metrics=metrics))
    try:
        async with serving(app, "127.0.0.1", 0) as port, aiohttp.ClientSession() as session:
            yield Gateway(f"http://127.0.0.1:{port}", bus, metrics, session)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def gateway(bus: Bus) -> AsyncIterator[Gateway]:
    """A gateway that knows the secrets of all captured webhooks."""
    async with running(bus) as gateway:
        yield gateway
