"""One POST of a webhook: exactly EspoCRM's headers and timeouts, and the code its queue judges by (reference 1)."""

from http import HTTPStatus
from typing import Protocol

import aiohttp

CONNECTION_REFUSED = 0
"""The code EspoCRM sees when nobody listens."""


class NotSendableError(Exception):
    """The URL cannot be sent to at all: not allowed, or its host has no address."""


class Deliver(Protocol):
    """Sends a body to a URL and returns the status code; raises `NotSendableError`."""

    async def __call__(self, url: str, body: bytes, signatures: dict[str, str]) -> int:
        """Send it."""


class HttpDelivery:
    """Sends over HTTP; redirects are taken as answers. Timeouts in seconds."""

    def __init__(self, connect_timeout: float, timeout: float) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=connect_timeout)

    async def __call__(self, url: str, body: bytes, signatures: dict[str, str]) -> int:
        """Send it. A timeout counts as 408, a refused or broken connection as 0."""
        headers = {
            "Accept": "*/*",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **signatures,
        }
        try:
            # A session for each POST: curl, too, connects anew each time, so a restarted receiver is never missed.
            async with (
                aiohttp.ClientSession(
                    timeout=self._timeout, skip_auto_headers=("User-Agent", "Accept-Encoding")
                ) as session,
                session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                await answer.read()
                return answer.status
        except TimeoutError:
            return HTTPStatus.REQUEST_TIMEOUT
        except (aiohttp.ClientConnectorDNSError, aiohttp.InvalidURL) as error:
            raise NotSendableError(str(error)) from error
        except aiohttp.ClientError:
            return CONNECTION_REFUSED
