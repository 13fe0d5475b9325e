"""A caller of the simulated xAI that knows its routes and nothing of the product."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import msgspec

from bitbylaw.simulators.xai import ManualClock, XaiSimulator


class Answer(msgspec.Struct, frozen=True):
    """An answer: its status, its JSON (None when it is none), its headers."""

    status: int
    json: Any
    headers: Mapping[str, str]
    raw: bytes


class Caller:
    """Calls both hosts, each with its own key unless a test says otherwise."""

    def __init__(self, xai: XaiSimulator, clock: ManualClock, session: aiohttp.ClientSession) -> None:
        self.xai = xai
        self.clock = clock
        self._session = session

    async def call(self, method: str, path: str, *, key: str | None = None, **options: Any) -> Answer:
        """Make a request; `path` begins behind `/v1`, `key` replaces the route's own, `""` sends none."""
        if key is None:
            key = self.xai.management_key if path.startswith("/collections") else self.xai.api_key
        headers = {**options.pop("headers", {}), **({"Authorization": f"Bearer {key}"} if key else {})}
        async with self._session.request(method, self.xai.api_url + path, headers=headers, **options) as response:
            raw = await response.read()
            is_json = response.content_type == "application/json"
            return Answer(response.status, msgspec.json.decode(raw) if is_json else None, response.headers, raw)

    async def get(self, path: str, **parameters: str | int) -> Answer:
        """GET with query parameters."""
        return await self.call("GET", path, params=parameters)

    async def upload(
        self,
        content: bytes | AsyncIterator[bytes] = b"Sehr geehrte Damen und Herren",
        filename: str = "Klage.txt",
        *,
        quote_fields: bool = False,
        **fields: str,
    ) -> Answer:
        """POST /files as aiohttp would send it, the fields before the file."""
        form = aiohttp.FormData(quote_fields=quote_fields)
        for name, value in fields.items():
            form.add_field(name, value)
        form.add_field("file", content, filename=filename, content_type="text/plain")
        return await self.call("POST", "/files", data=form)

    async def upload_raw(self, *parts: tuple[str, bytes]) -> Answer:
        """POST /files with parts of (Content-Disposition, content), byte by byte as they stand."""
        body = b"".join(
            b"--grenze\r\nContent-Disposition: " + disposition.encode() + b"\r\n\r\n" + content + b"\r\n"
            for disposition, content in parts
        )
        headers = {"Content-Type": "multipart/form-data; boundary=grenze"}
        return await self.call("POST", "/files", data=body + b"--grenze--\r\n", headers=headers)

    async def new_file(self, filename: str = "Klage.txt", content: bytes = b"Klage") -> str:
        """Upload a file and return its id."""
        return str((await self.upload(content, filename)).json["id"])

    async def new_collection(self, name: str = "Räumungsklage", **body: Any) -> str:
        """Create a collection and return its id."""
        answer = await self.call("POST", "/collections", json={"collection_name": name, **body})
        return str(answer.json["collection_id"])

    async def add(self, collection_id: str, file_id: str, **fields: str) -> Answer:
        """Put a file into a collection."""
        path = f"/collections/{collection_id}/documents/{file_id}"
        return await self.call("POST", path, json={"fields": fields})

    async def document(self, collection_id: str, file_id: str) -> Answer:
        """Read a document."""
        return await self.get(f"/collections/{collection_id}/documents/{file_id}")

    async def new_document(self, **file: Any) -> tuple[str, str]:
        """Upload a file into a new collection; return the collection's and the file's id."""
        collection_id, file_id = await self.new_collection(), await self.new_file(**file)
        await self.add(collection_id, file_id)
        return collection_id, file_id
