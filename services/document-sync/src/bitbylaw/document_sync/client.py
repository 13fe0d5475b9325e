"""xAI's Files and Collections over REST (reference xai.md): two hosts, two keys, no idempotency anywhere.

Nothing here depends on what the reference marks unknown: what is "already there" or "already gone" is success, numbers
may come as strings, an unknown status means that xAI is still at work.
"""

from collections.abc import AsyncIterator
from enum import StrEnum
from pathlib import Path

import aiohttp
import msgspec

from bitbylaw.common.errors import NotFound, Refused
from bitbylaw.common.http.client import UpstreamClient

#: xAI's largest page.
PAGE = 100
#: Seconds an upload of the largest file may take.
UPLOAD_TIMEOUT = 600.0
_CONFLICTS = frozenset({400, 409})


class DocumentStatus(StrEnum):
    """How far xAI is with a file in a collection."""

    PROCESSING = "processing"
    PROCESSED = "processed"
    FAILED = "failed"


class XaiFile(msgspec.Struct, frozen=True):
    """A file; `created_at` in unix seconds."""

    id: str
    filename: str = ""
    created_at: float = 0


class Collection(msgspec.Struct, frozen=True):
    """A collection; its description holds our back-reference."""

    id: str
    name: str
    description: str


class CollectionDocument(msgspec.Struct, frozen=True):
    """A file in a collection."""

    status: DocumentStatus
    error: str


class _FilePage(msgspec.Struct, frozen=True):
    data: list[XaiFile] = []
    pagination_token: str | None = None


class _Collection(msgspec.Struct, frozen=True):
    collection_id: str
    collection_name: str = ""
    collection_description: str | None = None

    def read(self) -> Collection:
        return Collection(self.collection_id, self.collection_name, self.collection_description or "")


class _CollectionPage(msgspec.Struct, frozen=True):
    collections: list[_Collection] = []
    pagination_token: str | None = None


class _Document(msgspec.Struct, frozen=True):
    status: str = ""
    error_message: str | None = None


class XaiClient:
    """xAI as the services need it."""

    def __init__(self, files: UpstreamClient, management: UpstreamClient) -> None:
        self._files = files
        self._management = management

    # --- files -------------------------------------------------------------------------------------------------------

    async def upload(self, path: Path, filename: str, content_type: str) -> XaiFile:
        """Upload a file, streamed from disk. Never repeated by itself: xAI has no idempotency key."""
        with path.open("rb") as file:
            # quote_fields=False: the name goes out as it is, not percent-encoded; `purpose` has to stand first.
            form = aiohttp.FormData(quote_fields=False)
            form.add_field("purpose", "assistants")
            form.add_field("file", file, filename=filename, content_type=content_type)
            answer = await self._files.request("upload", "POST", "/files", data=form, timeout=UPLOAD_TIMEOUT)
        return msgspec.json.decode(answer.body, type=XaiFile)

    async def file(self, file_id: str) -> XaiFile | None:
        """A file's data, None if xAI has none such."""
        try:
            answer = await self._files.request("file", "GET", f"/files/{file_id}")
        except NotFound:
            return None
        return msgspec.json.decode(answer.body, type=XaiFile)

    async def delete_file(self, file_id: str) -> bool:
        """Delete a file; False if it was gone already."""
        try:
            await self._files.request("delete_file", "DELETE", f"/files/{file_id}")
        except NotFound:
            return False
        return True

    async def find_upload(self, filename: str, since: float) -> list[XaiFile]:
        """The files of exactly this name that came after `since` (unix seconds), the newest first.

        Read from the list by age, not by xAI's filter, whose matching of names is fuzzy and unknown in detail.
        """
        return [file async for file in self._files_since(since) if file.filename == filename]

    async def _files_since(self, since: float) -> AsyncIterator[XaiFile]:
        params = {"limit": str(PAGE), "sort_by": "created_at", "order": "desc"}
        while True:
            answer = await self._files.request("files", "GET", "/files", params=params)
            page = msgspec.json.decode(answer.body, type=_FilePage)
            for file in page.data:
                if file.created_at < since:
                    return
                yield file
            if len(page.data) < PAGE or not page.pagination_token:
                return
            params["pagination_token"] = page.pagination_token

    # --- collections -------------------------------------------------------------------------------------------------

    async def create_collection(self, name: str, description: str) -> Collection:
        """Make a collection. xAI knows no metadata: the description carries the way back."""
        body = {"collection_name": name, "collection_description": description}
        answer = await self._management.request("create_collection", "POST", "/collections", json=body)
        return msgspec.json.decode(answer.body, type=_Collection).read()

    async def collection(self, collection_id: str) -> Collection | None:
        """A collection, None if there is none such."""
        try:
            answer = await self._management.request("collection", "GET", f"/collections/{collection_id}")
        except NotFound:
            return None
        return msgspec.json.decode(answer.body, type=_Collection).read()

    async def collections(self) -> AsyncIterator[Collection]:
        """Every collection there is."""
        params = {"limit": str(PAGE)}
        while True:
            answer = await self._management.request("collections", "GET", "/collections", params=params)
            page = msgspec.json.decode(answer.body, type=_CollectionPage)
            for collection in page.collections:
                yield collection.read()
            if len(page.collections) < PAGE or not page.pagination_token:
                return
            params["pagination_token"] = page.pagination_token

    async def add_document(self, collection_id: str, file_id: str) -> None:
        """Put a file into a collection; being there already is success.

        Raises:
            NotFound: xAI has no such collection, or no such file.
        """
        path = f"/collections/{collection_id}/documents/{file_id}"
        try:
            await self._management.request("add_document", "POST", path, json={})
        except Refused as error:
            if error.status in _CONFLICTS and await self.document(collection_id, file_id) is not None:
                return
            raise

    async def remove_document(self, collection_id: str, file_id: str) -> None:
        """Take a file out of a collection; it stays a file. Not being there is success."""
        path = f"/collections/{collection_id}/documents/{file_id}"
        try:
            await self._management.request("remove_document", "DELETE", path)
        except NotFound:
            return

    async def document(self, collection_id: str, file_id: str) -> CollectionDocument | None:
        """A file in a collection, None if it is not there."""
        path = f"/collections/{collection_id}/documents/{file_id}"
        try:
            answer = await self._management.request("document", "GET", path)
        except NotFound:
            return None
        document = msgspec.json.decode(answer.body, type=_Document)
        return CollectionDocument(_status(document.status), document.error_message or "")


def _status(text: str) -> DocumentStatus:
    """CHUNKED, EMBEDDING, WRITING and whatever may be added: still at work."""
    if text == "DOCUMENT_STATUS_PROCESSED":
        return DocumentStatus.PROCESSED
    if text == "DOCUMENT_STATUS_FAILED":
        return DocumentStatus.FAILED
    return DocumentStatus.PROCESSING
