"""EspoCRM's REST API by entity type (reference espocrm.md, 3 and 5).

Records come and go as `Record`, attribute by attribute: which attributes a customer's CRM has is configuration, and
each service's mapping is the edge where they become typed.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import msgspec

from bitbylaw.common.errors import Refused, StaleWrite, TransientError
from bitbylaw.common.espocrm.where import Where
from bitbylaw.common.events import EntityRef
from bitbylaw.common.http.answer import Answer
from bitbylaw.common.http.client import UpstreamClient

Record = dict[str, object]

#: EspoCRM's own limit for a page.
MAX_PAGE = 200
#: Seconds the guard against guessed keys lasts.
GUARD_PAUSE = 60.0
#: Seconds a download of the largest file may take.
DOWNLOAD_TIMEOUT = 600.0

_decode = msgspec.json.Decoder(Record).decode


class Page(msgspec.Struct, frozen=True):
    """A page of a list; `total` is negative where EspoCRM was not asked to count."""

    items: list[Record]
    total: int


class _List(msgspec.Struct, frozen=True):
    list: list[Record]
    total: int = -1


class Download(msgspec.Struct, frozen=True):
    """A file on its way: its size in bytes where EspoCRM says it, its type and name, and the bytes in pieces."""

    size: int | None
    content_type: str | None
    filename: str | None
    chunks: AsyncIterator[bytes]


class EspoClient:
    """One EspoCRM, as one API user."""

    def __init__(self, http: UpstreamClient, *, metadata_ttl: float) -> None:
        self._http = http
        self._metadata_ttl = metadata_ttl
        self._metadata: dict[str, tuple[float, object]] = {}

    async def read(self, ref: EntityRef) -> Record:
        """One record, whole.

        Raises:
            NotFound: there is none, or it is deleted.
        """
        return _decode((await self._call("read", "GET", _path(ref))).body)

    async def update(self, ref: EntityRef, changes: Mapping[str, object], *, version: int | None = None) -> Record:
        """Change attributes; the record as it is then.

        With `version` EspoCRM refuses when the record was changed since and one of the attributes differs; its check is
        not atomic (reference 3), so the answer still has to be compared.

        Raises:
            StaleWrite: the record was changed since `version`.
            NotFound: there is no such record.
        """
        headers = {"X-Version-Number": str(version)} if version is not None else None
        try:
            answer = await self._call("write", "PUT", _path(ref), json=dict(changes), headers=headers)
        except Refused as error:
            if error.status == 409:  # noqa: PLR2004  (conflict)
                raise StaleWrite(f"espocrm write: {ref.key} was changed since it was read") from None
            raise
        return _decode(answer.body)

    async def create(self, entity_type: str, values: Mapping[str, object]) -> Record:
        """Make a record; its attributes as far as they are set."""
        return _decode((await self._call("create", "POST", f"/{_token(entity_type)}", json=dict(values))).body)

    async def list_page(
        self,
        entity_type: str,
        *,
        where: Sequence[Where],
        select: Sequence[str],
        order_by: str,
        order: str,
        offset: int,
        max_size: int = MAX_PAGE,
    ) -> Page:
        """A page of records, uncounted. EspoCRM adds id, creation date and creator to `select` by itself."""
        search = {
            "where": list(where),
            "select": list(select),
            "orderBy": order_by,
            "order": order,
            "offset": offset,
            "maxSize": max_size,
        }
        answer = await self._call(
            "list",
            "GET",
            f"/{_token(entity_type)}",
            params={"searchParams": msgspec.json.encode(search).decode()},
            headers={"X-No-Total": "true"},
        )
        page = msgspec.json.decode(answer.body, type=_List)
        return Page(page.list, page.total)

    async def metadata(self, key: str) -> object | None:
        """A part of EspoCRM's metadata (`entityDefs.CDokumente.fields`), kept for a while; None if there is no such."""
        now = asyncio.get_running_loop().time()
        kept = self._metadata.get(key)
        if kept is not None and now - kept[0] < self._metadata_ttl:
            return kept[1]
        answer = await self._call("metadata", "GET", "/Metadata", params={"key": key})
        value: object = msgspec.json.decode(answer.body) if answer.body.strip() else None
        self._metadata[key] = (now, value)
        return value

    @asynccontextmanager
    async def download(self, attachment_id: str) -> AsyncIterator[Download]:
        """The file of an attachment, as a stream. A body that ends early is an error, never a shorter file.

        Raises:
            NotFound: there is no such attachment (any more).
            TransientError: the stream was cut.
        """
        path = f"/Attachment/file/{_token(attachment_id)}"
        async with self._http.stream("download", "GET", path, timeout=DOWNLOAD_TIMEOUT) as answer:
            yield Download(
                size=answer.size,
                content_type=answer.headers.get("Content-Type"),
                filename=_filename(answer.headers.get("Content-Disposition")),
                chunks=answer.chunks,
            )

    async def _call(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        try:
            return await self._http.request(operation, method, path, params=params, json=json, headers=headers)
        except Refused as error:
            # The guard against guessed keys answers everybody behind one address with a bare 403 for a minute.
            if error.status == 403 and str(error).endswith("403"):  # noqa: PLR2004  (forbidden, without a reason)
                raise TransientError("espocrm: too many failed logins from this address", delay=GUARD_PAUSE) from None
            raise


def _path(ref: EntityRef) -> str:
    return f"/{_token(ref.type)}/{_token(ref.id)}"


def _token(text: str) -> str:
    """`text` as one part of a path. Ids and types are checked where they come in; this is the second lock."""
    if not text or not all(character.isascii() and (character.isalnum() or character in "-_") for character in text):
        raise ValueError("not fit for a path")
    return text


def _filename(disposition: str | None) -> str | None:
    """EspoCRM sends the name's raw UTF-8 bytes, which HTTP clients read with surrogate escapes."""
    match = re.search(r'filename="([^"]*)"', disposition or "")
    if match is None:
        return None
    return match[1].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
