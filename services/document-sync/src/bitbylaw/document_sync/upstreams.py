"""The outside systems of document-sync: their clients, limits and breakers."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec

from bitbylaw.common.espocrm.client import EspoClient
from bitbylaw.common.http.breaker import Breaker
from bitbylaw.common.http.client import UpstreamClient
from bitbylaw.common.telemetry.metrics import Metrics
from bitbylaw.document_sync.client import XaiClient
from bitbylaw.document_sync.settings import Environment

#: Calls on their way at once. EspoCRM is a PHP site that people work with meanwhile; xAI's limits are unknown.
ESPOCRM_CONCURRENCY = 8
XAI_CONCURRENCY = 8


class Upstreams(msgspec.Struct, frozen=True):
    """The connected clients."""

    espo: EspoClient
    xai: XaiClient
    breakers: tuple[Breaker, ...]

    async def wait_closed(self) -> None:
        """Return when every system may be called: a document needs them all."""
        for breaker in self.breakers:
            await breaker.wait_closed()


@asynccontextmanager
async def connect_upstreams(environment: Environment, metrics: Metrics) -> AsyncIterator[Upstreams]:
    """The clients for the length of a block."""
    espo, xai = environment.espo, environment.xai
    async with AsyncExitStack() as stack:

        async def client(
            system: str, base_url: str, headers: dict[str, str], timeout: float, concurrency: int
        ) -> UpstreamClient:
            return await stack.enter_async_context(
                UpstreamClient(
                    system=system,
                    base_url=base_url,
                    headers=headers,
                    timeout=timeout,
                    concurrency=concurrency,
                    metrics=metrics,
                )
            )

        crm = await client("espocrm", espo.base_url, {"X-Api-Key": espo.api_key}, espo.timeout, ESPOCRM_CONCURRENCY)
        files = await client("xai", xai.base_url, _bearer(xai.api_key), xai.timeout, XAI_CONCURRENCY)
        management = await client(
            "xai-management", xai.management_url, _bearer(xai.management_key), xai.timeout, XAI_CONCURRENCY
        )
        yield Upstreams(
            espo=EspoClient(crm, metadata_ttl=espo.metadata_ttl),
            xai=XaiClient(files, management),
            breakers=(crm.breaker, files.breaker, management.breaker),
        )


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}
