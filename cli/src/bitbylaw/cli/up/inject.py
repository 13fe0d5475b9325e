"""Events put in by hand, the way `nats pub` does it."""

from collections.abc import Mapping, Sequence

from bitbylaw.common.bus.connection import connect
from bitbylaw.common.settings import NatsSettings, load


async def enqueue_documents(environ: Mapping[str, str], ids: Sequence[str]) -> None:
    """One `vmh.document.sync_check` for each document, stored in the INBOX.

    Raises:
        nats.errors.Error: JetStream did not take one.
    """
    bus = await connect(load(NatsSettings, environ), "bitbylaw-up")
    try:
        for entity_id in ids:
            await bus.js.publish("vmh.document.sync_check", b'{"entity_id":"%s"}' % entity_id.encode())
    finally:
        await bus.close()
