"""The contents of files, on disk: an upload is written and hashed piece by piece, never held whole in memory."""

import hashlib
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import msgspec

_UNFINISHED = ".part"


class Written(msgspec.Struct, frozen=True):
    """What is known of a content once it is on disk; `size` in bytes."""

    size: int
    sha256: str


class TooLarge(Exception):
    """A content is longer than allowed."""


class BlobStore:
    """One file per content, named by the id of its xAI file."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    async def write(self, blob_id: str, chunks: AsyncIterator[bytes], limit: int) -> Written:
        """Store a content that arrives in pieces. Raises `TooLarge` beyond `limit` bytes; then nothing is kept."""
        unfinished = self.path(blob_id).with_suffix(_UNFINISHED)
        try:
            written = await _copied(unfinished, chunks, limit)
            unfinished.rename(self.path(blob_id))
        finally:
            unfinished.unlink(missing_ok=True)
        return written

    def path(self, blob_id: str) -> Path:
        """Where a content lies."""
        return self._directory / blob_id

    def remove(self, blob_id: str) -> None:
        """Forget a content, if there is one."""
        self.path(blob_id).unlink(missing_ok=True)

    def keep_only(self, blob_ids: Iterable[str]) -> None:
        """Remove everything else: what a crash left behind."""
        wanted = set(blob_ids)
        for path in self._directory.iterdir():
            if path.name not in wanted:
                path.unlink()


async def _copied(target: Path, chunks: AsyncIterator[bytes], limit: int) -> Written:
    digest = hashlib.sha256()
    size = 0
    with target.open("wb") as file:
        async for chunk in chunks:
            size += len(chunk)
            if size > limit:
                raise TooLarge
            digest.update(chunk)
            file.write(chunk)
    return Written(size=size, sha256=digest.hexdigest())
