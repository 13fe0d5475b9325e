"""xAI's collections and the files in them: the host with the management key.

Source: reference xai.md, "Collections REST". Nothing here depends on what it marks unknown.
"""

from collections.abc import AsyncIterator
from http import HTTPStatus

from bitbylaw.common.errors import Executed, NotFound, Refused
from bitbylaw.common.http.client import UpstreamClient
from bitbylaw.document_sync.xai_model import (
    Collection,
    CollectionDocument,
    CollectionPage,
    DocumentPage,
    WireDocument,
    decoded,
)

#: xAI's largest page.
PAGE = 100
#: What xAI may answer when a file is in the collection already.
_MAYBE_THERE = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT})


class XaiCollections:
    """Collections and their documents. All methods raise what `UpstreamClient.request` raises."""

    def __init__(self, management: UpstreamClient) -> None:
        self._management = management

    # --- collections -------------------------------------------------------------------------------------------------

    async def create_collection(self, name: str, description: str) -> Collection:
        """Make a collection. Names are not unique in xAI; `description` is what it is found again by."""
        body = {"collection_name": name, "collection_description": description}
        answer = await self._management.request("create_collection", "POST", "/collections", json=body)
        return decoded(answer.body, Collection, Executed.YES)

    async def collection(self, collection_id: str) -> Collection | None:
        """The collection, None if xAI has none of this id."""
        try:
            answer = await self._management.request(
                "read_collection", "GET", "/collections/{collection}", ids={"collection": collection_id}
            )
        except NotFound:
            return None
        return decoded(answer.body, Collection)

    async def collections(self) -> AsyncIterator[Collection]:
        """All collections of the team."""
        params = {"limit": str(PAGE)}
        while True:
            answer = await self._management.request("list_collections", "GET", "/collections", params=params)
            page = decoded(answer.body, CollectionPage)
            for collection in page.collections:
                yield collection
            if len(page.collections) < PAGE or not page.pagination_token:
                return
            params["pagination_token"] = page.pagination_token

    async def rename_collection(self, collection_id: str, name: str) -> None:
        """Give the collection another name."""
        await self._management.request(
            "rename_collection",
            "PUT",
            "/collections/{collection}",
            ids={"collection": collection_id},
            json={"collection_name": name},
        )

    async def delete_collection(self, collection_id: str) -> bool:
        """Delete the collection; its files stay. False if it was gone already."""
        try:
            await self._management.request(
                "delete_collection", "DELETE", "/collections/{collection}", ids={"collection": collection_id}
            )
        except NotFound:
            return False
        return True

    # --- documents ---------------------------------------------------------------------------------------------------

    async def add_document(self, collection_id: str, file_id: str) -> None:
        """Put the file into the collection; being there already is success. xAI then processes it: see `document`.

        Raises:
            NotFound: xAI has no such collection, or no such file.
        """
        try:
            await self._document("add_document", "POST", collection_id, file_id, json={})
        except Refused as error:
            if error.status in _MAYBE_THERE and await self.document(collection_id, file_id) is not None:
                return
            raise

    async def remove_document(self, collection_id: str, file_id: str) -> bool:
        """Take the file out of the collection; the file stays. False if it was not there."""
        try:
            await self._document("remove_document", "DELETE", collection_id, file_id)
        except NotFound:
            return False
        return True

    async def document(self, collection_id: str, file_id: str) -> CollectionDocument | None:
        """How the file stands in the collection, None if it is not there."""
        try:
            body = await self._document("read_document", "GET", collection_id, file_id)
        except NotFound:
            return None
        return decoded(body, WireDocument).read()

    async def documents(self, collection_id: str) -> AsyncIterator[CollectionDocument]:
        """All files in the collection."""
        params = {"limit": str(PAGE)}
        while True:
            answer = await self._management.request(
                "list_documents",
                "GET",
                "/collections/{collection}/documents",
                ids={"collection": collection_id},
                params=params,
            )
            page = decoded(answer.body, DocumentPage)
            for document in page.documents:
                yield document.read()
            if len(page.documents) < PAGE or not page.pagination_token:
                return
            params["pagination_token"] = page.pagination_token

    async def _document(
        self, operation: str, method: str, collection_id: str, file_id: str, *, json: object = None
    ) -> bytes:
        answer = await self._management.request(
            operation,
            method,
            "/collections/{collection}/documents/{file}",
            ids={"collection": collection_id, "file": file_id},
            json=json,
        )
        return answer.body
