"""EspoCRM's way of speaking HTTP: its headers, its bodies, and how it reads those of others (reference 3)."""

import json
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

from aiohttp import payload, web

from bitbylaw.simulators.espocrm import php_json
from bitbylaw.simulators.espocrm.errors import EspoError

JSON = "application/json"
HTML = "text/html; charset=UTF-8"
SERVER = "Apache/2.4.71 (Debian)"
_NOT_CACHED = "no-store, no-cache, must-revalidate, post-check=0, pre-check=0"
_ALLOW_ORDER = ("GET", "DELETE", "PUT", "PATCH", "POST")


class Speaker:
    """Makes answers; `app_timestamp` is when the installation's cache was built."""

    def __init__(self, app_timestamp: int) -> None:
        self._app_timestamp = app_timestamp

    def json(self, value: Any, now: float, status: int = HTTPStatus.OK) -> web.Response:
        """An answer with a JSON body."""
        return self.raw(php_json.encode(value), now, status=status)

    def raw(
        self,
        body: bytes | payload.Payload,
        now: float,
        *,
        content_type: str = JSON,
        status: int = HTTPStatus.OK,
        headers: dict[str, str] | None = None,
    ) -> web.Response:
        """An answer with any body; `now` in seconds since 1970 is its Last-Modified."""
        usual = {
            "X-App-Timestamp": str(self._app_timestamp),
            "Expires": "0",
            "Last-Modified": formatdate(now, usegmt=True),
            "Cache-Control": _NOT_CACHED,
            "Content-Type": content_type,
        }
        return web.Response(status=status, body=body, headers={**usual, **(headers or {})})


def refusal(error: EspoError) -> web.Response:
    """The answer to a refused request."""
    headers = {"Content-Type": HTML if error.html else JSON}
    if error.reason is not None:
        headers["X-Status-Reason"] = error.reason.encode("ascii", "ignore").decode()
    if error.challenge:
        headers["WWW-Authenticate"] = 'Basic realm=""'
    body = b"" if error.body is None else php_json.encode(error.body)
    return web.Response(status=error.status, body=body, headers=headers)


def no_route(raised: web.HTTPException) -> web.Response:
    """The answer where no route fits; it comes from EspoCRM's router, hence the other form (sample 06)."""
    text = f"{raised.status} {HTTPStatus(raised.status).phrase}"
    headers = {"Content-Type": JSON}
    if isinstance(raised, web.HTTPMethodNotAllowed):
        headers["Allow"] = ", ".join(method for method in _ALLOW_ORDER if method in raised.allowed_methods)
    return web.Response(status=raised.status, body=php_json.encode_pretty({"message": text}), headers=headers)


async def body_of(request: web.Request) -> dict[str, Any]:
    """The JSON object a client sent; {} for another content type, an empty body or an array: all ignored.

    Raises `EspoError` 500 for a body that is no JSON (sample 06).
    """
    if request.content_type != JSON:
        return {}
    raw = await request.read()
    try:
        value = json.loads(raw) if raw else {}
    except ValueError as error:
        raise EspoError(HTTPStatus.INTERNAL_SERVER_ERROR) from error
    return value if isinstance(value, dict) else {}
