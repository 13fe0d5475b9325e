"""The content of a document: streamed from EspoCRM into a spool file, digested on the way, then checked."""

import hashlib
import mimetypes
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path

from bitbylaw.common.errors import NotFound, PermanentError, Refused
from bitbylaw.common.espocrm.client import EspoClient
from bitbylaw.document_sync.model import Content

MEBIBYTE = 1024 * 1024
#: Types that say nothing: the name's ending decides instead.
_VAGUE = frozenset({"", "application/octet-stream", "binary/octet-stream", "application/x-download"})
_SNIFF = 4096


class ContentRefused(PermanentError):
    """The content can never go to xAI as it is."""


class Spool:
    """Downloads contents into files that live as long as a run."""

    def __init__(self, espo: EspoClient, *, max_megabytes: int, content_types: tuple[str, ...], folder: Path) -> None:
        self._espo = espo
        self._max_bytes = max_megabytes * MEBIBYTE
        self._max_megabytes = max_megabytes
        self._content_types = content_types
        self._folder = folder

    @asynccontextmanager
    async def room(self) -> AsyncIterator[Path]:
        """A folder for one run's files, removed afterwards; what a killed run left falls to `clear`."""
        with tempfile.TemporaryDirectory(dir=self._folder, prefix="run-") as folder:
            yield Path(folder)

    def clear(self, older_than: float) -> None:
        """Remove what killed runs left, from `older_than` seconds ago or more: longer than a run can last."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for folder in self._folder.glob("run-*"):
            with suppress(FileNotFoundError):  # another worker's run has just ended
                if time.time() - folder.stat().st_mtime > older_than:
                    shutil.rmtree(folder, ignore_errors=True)

    async def fetch(self, attachment_id: str, name: str | None, room: Path) -> Content:
        """The content of an attachment.

        Raises:
            ContentRefused: it is gone, empty, too large, nameless, or of a type xAI does not read.
            BitByLawError: EspoCRM did not deliver it this time.
        """
        try:
            async with self._espo.download(attachment_id) as download:
                self._check_size(download.size or 0)
                file_name = name or download.filename or ""
                if not file_name.strip():
                    raise ContentRefused("the file has no name")
                path = room / attachment_id
                md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
                size, head = 0, b""
                with path.open("wb") as file:
                    async for chunk in download.chunks:
                        size += len(chunk)
                        self._check_size(size)
                        md5.update(chunk)
                        sha256.update(chunk)
                        file.write(chunk)
                        if len(head) < _SNIFF:
                            head += chunk[: _SNIFF - len(head)]
                declared = download.content_type
        except NotFound:
            raise ContentRefused("the attachment is gone from EspoCRM (404)") from None
        except Refused as error:
            if error.status != HTTPStatus.FORBIDDEN:
                raise
            raise ContentRefused("EspoCRM does not hand the attachment out (403)") from None
        if size == 0:
            raise ContentRefused("the file is empty")
        content_type = content_type_of(file_name, declared, head)
        if not allowed(content_type, self._content_types):
            raise ContentRefused(f"type {content_type} is not read by xAI")
        return Content(attachment_id, md5.hexdigest(), sha256.hexdigest(), size, str(path), file_name, content_type)

    def _check_size(self, size: int) -> None:
        if size > self._max_bytes:
            raise ContentRefused(f"the file is larger than {self._max_megabytes} MiB")


def content_type_of(name: str, declared: str | None, head: bytes) -> str:
    """The type of a file: as declared, else by its name, else text if it begins like text."""
    plain = (declared or "").partition(";")[0].strip().lower()
    if plain not in _VAGUE:
        return plain
    guessed = mimetypes.guess_type(name)[0]
    if guessed:
        return guessed
    return "text/plain" if _reads_as_text(head) else "application/octet-stream"


def allowed(content_type: str, patterns: tuple[str, ...]) -> bool:
    """Whether one of `patterns` (`text/*` or a whole type) covers `content_type`."""
    family = content_type.partition("/")[0] + "/*"
    return content_type in patterns or family in patterns


def _reads_as_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4  # a character cut by the end of what was looked at
    return True
