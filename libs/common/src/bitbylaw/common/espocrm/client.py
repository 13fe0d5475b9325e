"""EspoCRM's REST API, by entity type. Source: reference espocrm.md, sections 3 to 5."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar, overload

import msgspec

from bitbylaw.common.errors import Executed, PermanentError
from bitbylaw.common.espocrm.decode import Listing, Page, Record, decoded
from bitbylaw.common.espocrm.dialect import DuplicateFound, EspoDialect
from bitbylaw.common.espocrm.download import Download, download_of
from bitbylaw.common.espocrm.metadata import MetadataCache
from bitbylaw.common.espocrm.where import Where
from bitbylaw.common.events import EntityRef
from bitbylaw.common.http.client import UpstreamClient

__all__ = ["MAX_PAGE", "Download", "DuplicateFound", "EspoClient", "Page", "Record"]

_T = TypeVar("_T")

#: EspoCRM refuses larger pages (`recordListMaxSizeLimit`).
MAX_PAGE = 200


class EspoClient:
    """One EspoCRM, over `http`, whose base URL ends in `/api/v1` and whose headers hold the API key.

    Where a type may be given (`as_`), the answer is decoded into it; without one it is a `Record`. `metadata_ttl` is
    how many seconds metadata is kept. All methods raise what `UpstreamClient.request` raises, and what they name.
    """

    def __init__(self, http: UpstreamClient, *, metadata_ttl: float) -> None:
        self._http = http
        http.speaks(EspoDialect())
        self._metadata = MetadataCache(self._fetch_metadata, ttl=metadata_ttl)

    # --- records -----------------------------------------------------------------------------------------------------

    @overload
    async def read(self, ref: EntityRef) -> Record: ...

    @overload
    async def read(self, ref: EntityRef, as_: type[_T]) -> _T: ...

    async def read(self, ref: EntityRef, as_: type[object] = Record) -> object:
        """The whole record.

        Raises:
            NotFound: there is none, or it is deleted.
        """
        answer = await self._http.request("read", "GET", _path(ref), ids={"id": ref.id})
        return decoded(answer.body, as_, Executed.NO)

    @overload
    async def update(self, ref: EntityRef, changes: Mapping[str, object], *, version: int | None = None) -> Record: ...

    @overload
    async def update(
        self, ref: EntityRef, changes: Mapping[str, object], *, version: int | None = None, as_: type[_T]
    ) -> _T: ...

    async def update(
        self,
        ref: EntityRef,
        changes: Mapping[str, object],
        *,
        version: int | None = None,
        as_: type[object] = Record,
    ) -> object:
        """Set the attributes in `changes`; the whole record as it is then.

        With `version` (the record's versionNumber) only if nobody changed one of them meanwhile. EspoCRM checks that
        for entity types with optimistic concurrency control only, and not atomically: the lease has to do the rest.

        Raises:
            StaleWrite: the record has another version, and other values than `changes`.
            NotFound: there is no such record.
        """
        headers = {"X-Version-Number": str(version)} if version is not None else None
        answer = await self._http.request(
            "write", "PUT", _path(ref), ids={"id": ref.id}, json=dict(changes), headers=headers
        )
        return decoded(answer.body, as_, Executed.YES)

    @overload
    async def create(self, entity_type: str, values: Mapping[str, object]) -> Record: ...

    @overload
    async def create(self, entity_type: str, values: Mapping[str, object], as_: type[_T]) -> _T: ...

    async def create(self, entity_type: str, values: Mapping[str, object], as_: type[object] = Record) -> object:
        """Make a record; its id and the attributes that were set. EspoCRM knows no idempotency key.

        Raises:
            DuplicateFound: EspoCRM's duplicate check found others.
        """
        answer = await self._http.request("create", "POST", f"/{_word(entity_type)}", json=dict(values))
        return decoded(answer.body, as_, Executed.YES)

    # --- lists -------------------------------------------------------------------------------------------------------

    @overload
    async def list_page(
        self,
        entity_type: str,
        *,
        where: Sequence[Where] = ...,
        select: Sequence[str] = ...,
        order_by: str | None = ...,
        order: str = ...,
        offset: int = ...,
        max_size: int = ...,
        no_total: bool = ...,
    ) -> Page[Record]: ...

    @overload
    async def list_page(
        self,
        entity_type: str,
        *,
        where: Sequence[Where] = ...,
        select: Sequence[str] = ...,
        order_by: str | None = ...,
        order: str = ...,
        offset: int = ...,
        max_size: int = ...,
        no_total: bool = ...,
        as_: type[_T],
    ) -> Page[_T]: ...

    async def list_page(
        self,
        entity_type: str,
        *,
        where: Sequence[Where] = (),
        select: Sequence[str] = (),
        order_by: str | None = None,
        order: str = "asc",
        offset: int = 0,
        max_size: int = MAX_PAGE,
        no_total: bool = True,
        as_: Any = Record,
    ) -> Page[Any]:
        """A page of the records for which all of `where` holds; all attributes unless some are selected.

        Texts are cut at 10,000 characters in lists, and `xIds` come only if selected. `order` is `asc` or `desc`.
        """
        search = _search(where, select, order_by, order, offset, max_size)
        return await self._page(f"/{_word(entity_type)}", {}, search, no_total=no_total, as_=as_, offset=offset)

    @overload
    async def related(
        self, ref: EntityRef, link: str, *, select: Sequence[str] = ..., offset: int = ..., max_size: int = ...
    ) -> Page[Record]: ...

    @overload
    async def related(
        self,
        ref: EntityRef,
        link: str,
        *,
        select: Sequence[str] = ...,
        offset: int = ...,
        max_size: int = ...,
        as_: type[_T],
    ) -> Page[_T]: ...

    async def related(
        self,
        ref: EntityRef,
        link: str,
        *,
        select: Sequence[str] = (),
        offset: int = 0,
        max_size: int = MAX_PAGE,
        as_: Any = Record,
    ) -> Page[Any]:
        """A page of the records that `link` leads to, the oldest first."""
        search = _search((), select, "createdAt", "asc", offset, max_size)
        return await self._page(_path(ref, link), {"id": ref.id}, search, no_total=True, as_=as_, offset=offset)

    async def _page(
        self, path: str, ids: Mapping[str, str], search: str, *, no_total: bool, as_: Any, offset: int
    ) -> Page[Any]:
        # One JSON text: a `where` in brackets that EspoCRM cannot read is ignored, and every record comes back.
        headers = {"X-No-Total": "true"} if no_total else None
        answer = await self._http.request(
            "list", "GET", path, ids=ids, params={"searchParams": search}, headers=headers
        )
        listing: Listing[Any] = decoded(answer.body, Listing[as_], Executed.NO)
        return listing.page(offset)

    # --- links -------------------------------------------------------------------------------------------------------

    async def link(self, ref: EntityRef, link: str, *foreign_ids: str) -> None:
        """Link records; those that are linked already stay so. Fires no webhook and changes no version."""
        await self._http.request("link", "POST", _path(ref, link), ids={"id": ref.id}, json={"ids": list(foreign_ids)})

    async def unlink(self, ref: EntityRef, link: str, *foreign_ids: str) -> None:
        """Unlink records; those that are not linked stay so."""
        await self._http.request(
            "unlink", "DELETE", _path(ref, link), ids={"id": ref.id}, json={"ids": list(foreign_ids)}
        )

    # --- metadata and files ------------------------------------------------------------------------------------------

    async def metadata(self, key: str) -> object | None:
        """What EspoCRM's metadata holds under `key` (`entityDefs.CDokumente.fields`), None for an unknown key."""
        return await self._metadata.get(key)

    async def _fetch_metadata(self, key: str) -> object:
        answer = await self._http.request("metadata", "GET", "/Metadata", params={"key": key})
        return decoded(answer.body, object, Executed.NO) if answer.body.strip() else None

    @asynccontextmanager
    async def download(self, attachment_id: str) -> AsyncIterator[Download]:
        """The file of an attachment, read piece by piece inside the block.

        Raises:
            NotFound: there is none: replacing a file deletes the old attachment.
        """
        async with self._http.stream("download", "GET", "/Attachment/file/{id}", ids={"id": attachment_id}) as streamed:
            yield download_of(streamed)


def _path(ref: EntityRef, link: str | None = None) -> str:
    """The path of a record or of one of its links; the id is filled in, and stays out of messages."""
    return f"/{_word(ref.type)}/{{id}}" + (f"/{_word(link)}" if link is not None else "")


def _word(name: str) -> str:
    """The name of an entity type or a link: configured by people, and part of messages."""
    if not name.isascii() or not name.isalnum():
        raise PermanentError(f"{name!r} is no name of an entity type or a link")
    return name


class _Search(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    max_size: int
    where: tuple[Where, ...] = ()
    select: tuple[str, ...] = ()
    order_by: str | None = None
    order: str | None = None
    offset: int = 0


def _search(
    where: Sequence[Where], select: Sequence[str], order_by: str | None, order: str, offset: int, max_size: int
) -> str:
    search = _Search(max_size, tuple(where), tuple(select), order_by, order if order_by else None, offset)
    return msgspec.json.encode(search).decode()
