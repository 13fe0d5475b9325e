"""The little of EspoCRM's REST API that loading needs (reference 3)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import aiohttp
import msgspec

_PAGE = 200
"""EspoCRM gives no more in one list."""


class LoadFailed(Exception):
    """EspoCRM refused a request."""

    def __init__(self, what: str, status: int, reason: str) -> None:
        super().__init__(f"{what}: {status} {reason}".rstrip())
        self.status = status
        self.reason = reason


class Crm:
    """An EspoCRM, called with the session's key; `base_url` ends in `/api/v1`."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")

    async def create(self, entity_type: str, values: Mapping[str, Any]) -> str:
        """Create a record and return its id. Raises `LoadFailed`."""
        body = msgspec.json.encode(values)
        record = await self._call("POST", entity_type, data=body, headers={"Content-Type": "application/json"})
        return str(record["id"])

    async def ids_by_name(self, entity_type: str) -> dict[str, str]:
        """The ids of all records of a type by their names. Raises `LoadFailed`."""
        found: dict[str, str] = {}
        offset = 0
        while True:
            parameters = {"select": "name", "maxSize": _PAGE, "offset": offset, "orderBy": "createdAt", "order": "asc"}
            page = (await self._call("GET", entity_type, params=parameters))["list"]
            found.update({str(record["name"]): str(record["id"]) for record in page})
            if len(page) < _PAGE:
                return found
            offset += _PAGE

    async def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        async with self._session.request(method, f"{self._base_url}/{path}", **options) as response:
            if response.status != HTTPStatus.OK:
                reason = response.headers.get("X-Status-Reason", "")
                raise LoadFailed(f"{method} {path}", response.status, reason)
            answer: dict[str, Any] = msgspec.json.decode(await response.read())
            return answer
