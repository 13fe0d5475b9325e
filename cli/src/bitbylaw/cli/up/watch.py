"""How far the documents are, as both systems themselves say: EspoCRM's statuses against xAI's files."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import msgspec

PAGE = 200
XAI_PAGE = 100


class Waiting(msgspec.Struct, frozen=True):
    """A document that is not where it should be."""

    id: str
    status: str
    reason: str


class Progress(msgspec.Struct, frozen=True):
    """`synced` of `total` documents that belong in xAI are there and clean; the others are `waiting`."""

    total: int
    synced: int
    failed: int
    waiting: tuple[Waiting, ...]

    @property
    def settled(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.synced + self.failed == self.total


class Observer:
    """Asks EspoCRM and xAI, reading only, with the keys in `environ`."""

    def __init__(self, session: aiohttp.ClientSession, environ: Mapping[str, str]) -> None:
        self._session = session
        self._espocrm = environ["ESPOCRM_API_BASE_URL"].rstrip("/")
        self._espocrm_key = environ["ESPOCRM_API_KEY"]
        self._xai = environ.get("XAI_API_BASE_URL", "https://api.x.ai/v1").rstrip("/")
        self._xai_key = environ["XAI_API_KEY"]

    async def progress(self) -> Progress:
        """Compare both sides as they are now.

        Raises:
            aiohttp.ClientError, TimeoutError: one of them did not answer.
        """
        files = await self._file_ids()
        total = synced = failed = 0
        waiting: list[Waiting] = []
        async for document in self._documents():
            if not _belongs(document):
                continue
            total += 1
            status = document.get("xaiSyncStatus") or "unknown"
            if status == "clean" and document.get("xaiId") in files:
                synced += 1
                continue
            failed += status == "failed"
            waiting.append(Waiting(document["id"], status, document.get("xaiSyncError") or ""))
        return Progress(total, synced, failed, tuple(waiting))

    async def unsynced_ids(self) -> list[str]:
        """The documents that EspoCRM does not call clean: what a first run against a real CRM has to look at."""
        return [document["id"] async for document in self._documents() if document.get("xaiSyncStatus") != "clean"]

    async def _documents(self) -> AsyncIterator[dict[str, Any]]:
        select = "id,dokumentId,xaiId,xaiSyncStatus,xaiSyncError,accountId,raeumungsklagesIds,cBeteiligtesIds"
        offset = 0
        while True:
            url = (
                f"{self._espocrm}/CDokumente?select={select}&maxSize={PAGE}&offset={offset}&orderBy=createdAt&order=asc"
            )
            async with self._session.get(url, headers={"X-Api-Key": self._espocrm_key}) as answer:
                answer.raise_for_status()
                page = (await answer.json())["list"]
            for document in page:
                yield document
            offset += len(page)
            if len(page) < PAGE:
                return

    async def _file_ids(self) -> set[str]:
        found: set[str] = set()
        token = ""
        while True:
            params = {"limit": str(XAI_PAGE), "sort_by": "created_at", "order": "asc"} | (
                {"pagination_token": token} if token else {}
            )
            headers = {"Authorization": f"Bearer {self._xai_key}"}
            async with self._session.get(f"{self._xai}/files", params=params, headers=headers) as answer:
                answer.raise_for_status()
                page = await answer.json()
            found |= {file["id"] for file in page["data"]}
            token = page.get("pagination_token") or ""
            if len(page["data"]) < XAI_PAGE or not token:
                return found


def _belongs(document: Mapping[str, Any]) -> bool:
    """A document with a file that something with a collection is linked to."""
    linked = document.get("accountId") or document.get("raeumungsklagesIds") or document.get("cBeteiligtesIds")
    return bool(document.get("dokumentId") and linked)
