"""Events put in by hand, the way `nats pub` does it."""

from collections.abc import Mapping, Sequence

from nats.errors import Error as NatsError

from bitbylaw.common.bus.connection import connect
from bitbylaw.common.errors import BusUnavailable
from bitbylaw.common.settings import NatsSettings, load


async def publish(environ: Mapping[str, str], subject: str, payloads: Sequence[bytes]) -> None:
    """Store `payloads` on a subject people type, one after the other, each acknowledged.

    Raises:
        ConfigurationError: NATS_URL or its companions are wrong.
        BusUnavailable: no stream took it: NATS is away, or the subject is none of ours.
    """
    bus = await connect(load(NatsSettings, environ), "bitbylaw-cli")
    try:
        for payload in payloads:
            await bus.js.publish(subject, payload)
    except (NatsError, TimeoutError) as error:
        raise BusUnavailable(f"{subject}: {str(error) or type(error).__name__}") from error
    finally:
        await bus.close()


async def enqueue_documents(environ: Mapping[str, str], ids: Sequence[str]) -> None:
    """One `vmh.document.sync_check` for each document, stored in the INBOX.

    Raises:
        BusUnavailable: see `publish`.
    """
    await publish(environ, "vmh.document.sync_check", [b'{"entity_id":"%s"}' % i.encode() for i in ids])
