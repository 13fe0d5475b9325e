"""xAI's files: the host with the API key. Source: reference xai.md, "Files REST"."""

import asyncio
from collections.abc import AsyncIterator
from math import floor
from pathlib import Path

import aiohttp

from bitbylaw.common.errors import Executed, NotFound
from bitbylaw.common.http.client import UpstreamClient
from bitbylaw.document_sync.xai_model import FilePage, XaiFile, decoded

#: xAI's largest page.
PAGE = 100
#: Seconds an upload may take in all: 48 MiB over a line of 1 Mbit/s, and time for xAI to store them.
UPLOAD_SECONDS = 600.0


class XaiFiles:
    """Uploads, finds and deletes files. All methods raise what `UpstreamClient.request` raises."""

    def __init__(self, files: UpstreamClient) -> None:
        self._files = files

    async def upload(self, path: Path, filename: str, content_type: str) -> XaiFile:
        """Upload the file at `path`, streamed from disk, as `filename`.

        xAI knows no idempotency key: sent at most once; after a TransientError that is not certainly `Executed.NO` it
        may be there all the same, to be found with `find_upload`.

        Raises:
            Refused: with status 413 if it is too large for xAI.
        """
        # Opening may wait for the disk.
        file = await asyncio.to_thread(path.open, "rb")
        try:
            # Unquoted: aiohttp would percent-encode umlauts, and xAI would record the encoded name.
            form = aiohttp.FormData(quote_fields=False)
            # xAI reads the parts as they come: everything that describes the file has to stand before it.
            form.add_field("purpose", "assistants")
            form.add_field("file", file, filename=filename, content_type=content_type)
            answer = await self._files.request("upload", "POST", "/files", data=form, timeout=UPLOAD_SECONDS)
        finally:
            file.close()
        return decoded(answer.body, XaiFile, Executed.YES)

    async def file(self, file_id: str) -> XaiFile | None:
        """The file, None if xAI has none of this id."""
        try:
            answer = await self._files.request("read", "GET", "/files/{file}", ids={"file": file_id})
        except NotFound:
            return None
        return decoded(answer.body, XaiFile)

    async def delete_file(self, file_id: str) -> bool:
        """Delete the file; False if it was gone already. To be taken out of its collections first."""
        try:
            await self._files.request("delete", "DELETE", "/files/{file}", ids={"file": file_id})
        except NotFound:
            return False
        return True

    async def files_created_since(self, timestamp: float) -> AsyncIterator[XaiFile]:
        """The files created at `timestamp` (unix seconds) or later, the newest first."""
        oldest = floor(timestamp)  # xAI's times are whole seconds
        params = {"limit": str(PAGE), "sort_by": "created_at", "order": "desc"}
        while True:
            page = decoded((await self._files.request("list", "GET", "/files", params=params)).body, FilePage)
            for file in page.data:
                if file.created_at < oldest:
                    return
                yield file
            # A token comes with the last page too: only a page that is not full is the end.
            if len(page.data) < PAGE or not page.pagination_token:
                return
            params["pagination_token"] = page.pagination_token

    async def find_upload(self, filename: str, since: float) -> list[XaiFile]:
        """The files of exactly this name created since `since` (unix seconds), the newest first.

        Read from the list by age and not with xAI's name filter, which is fuzzy.
        """
        return [file async for file in self.files_created_since(since) if file.filename == filename]
