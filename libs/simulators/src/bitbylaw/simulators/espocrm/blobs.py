"""Where the contents of files are: small ones in memory, large ones on disk, to cost memory only in passing."""

from pathlib import Path

_MEMORY = dict[str, bytes]


class BlobStore:
    """File contents by attachment id. With `memory_limit` 0 everything is on disk and survives a restart."""

    def __init__(self, directory: Path, memory_limit: int) -> None:
        self._directory = directory
        self._memory_limit = memory_limit
        self._small: _MEMORY = {}

    def put(self, blob_id: str, content: bytes) -> None:
        """Keep a file's content."""
        if len(content) <= self._memory_limit:
            self._small[blob_id] = content
        else:
            self._path(blob_id).write_bytes(content)

    def append(self, blob_id: str, content: bytes) -> int:
        """Add a chunk to a file on disk and return its size so far."""
        with self._path(blob_id).open("ab") as file:
            file.write(content)
            return file.tell()

    def where(self, blob_id: str) -> bytes | Path | None:
        """The content, or the path of the file that holds it; None when there is none."""
        if blob_id in self._small:
            return self._small[blob_id]
        path = self._path(blob_id)
        return path if path.exists() else None

    def read(self, blob_id: str) -> bytes:
        """The whole content. Raises `FileNotFoundError`."""
        found = self.where(blob_id)
        if found is None:
            raise FileNotFoundError(blob_id)
        return found.read_bytes() if isinstance(found, Path) else found

    def remove(self, blob_id: str) -> None:
        """Forget a file's content, if there is any."""
        self._small.pop(blob_id, None)
        self._path(blob_id).unlink(missing_ok=True)

    def _path(self, blob_id: str) -> Path:
        self._directory.mkdir(parents=True, exist_ok=True)
        return self._directory / blob_id
