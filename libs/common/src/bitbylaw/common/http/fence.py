"""Fencing of writes: the last thing before a writing request leaves is to ask whether the lease still holds."""

from collections.abc import Callable
from contextvars import ContextVar

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from aiohttp.connector import Connection

from bitbylaw.common.http.call import READING

#: Called before every write of the run in progress; raises LeaseLost when nothing may be written any more.
write_guard: ContextVar[Callable[[], None] | None] = ContextVar("write_guard", default=None)


class FencedRequest(ClientRequest):
    """A request that asks the guard once its connection stands: waiting for limits, DNS or TLS is then over."""

    async def send(self, conn: Connection) -> ClientResponse:
        """Send it, if it may go."""
        guard = write_guard.get()
        if guard is not None and self.method not in READING:
            guard()
        return await super().send(conn)


class ConnectionCut(aiohttp.ClientError):
    """The connection broke after the request may have left."""


async def never_resend(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Middleware: keep aiohttp from silently repeating PUT and DELETE on a kept connection that broke.

    Such a write may have been executed; whether to repeat anything is decided (and counted) by our own code.
    """
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ServerTimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise ConnectionCut(type(error).__name__) from error
