"""Sending files: whole, in part, and through the old entry point (reference 5, sample 05)."""

import asyncio
import re
from http import HTTPStatus
from pathlib import Path

from aiohttp import payload, web
from aiohttp.abc import AbstractStreamWriter

from bitbylaw.simulators.espocrm.errors import EspoError
from bitbylaw.simulators.espocrm.http import Speaker
from bitbylaw.simulators.espocrm.store import Record

_CHUNK = 256 * 1024
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class FilePart(payload.Payload):
    """A part of a file on disk, read piece by piece while it is sent."""

    def __init__(self, path: Path, start: int, length: int) -> None:
        super().__init__(path)
        self._path = path
        self._start = start
        self._length = length

    @property
    def size(self) -> int:
        """The number of bytes it sends."""
        return self._length

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The part as text."""
        return self._read(0, self._length).decode(encoding, errors)

    async def as_bytes(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        """The whole part."""
        del encoding, errors
        return self._read(0, self._length)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send it."""
        for offset in range(0, self._length, _CHUNK):
            length = min(_CHUNK, self._length - offset)
            await writer.write(await asyncio.to_thread(self._read, offset, length))

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Send it; the length is fixed."""
        del content_length
        await self.write(writer)

    def _read(self, offset: int, length: int) -> bytes:
        with self._path.open("rb") as file:
            file.seek(self._start + offset)
            return file.read(length)


def download(
    speaker: Speaker, attachment: Record, content: bytes | Path, range_header: str | None, now: float
) -> web.Response:
    """`GET Attachment/file/{id}`: the file, or the range asked for. Raises `EspoError` 416."""
    size = content.stat().st_size if isinstance(content, Path) else len(content)
    part = _range(range_header, size)
    start, end = part or (0, size - 1)
    headers = {
        "Content-Disposition": f'attachment; filename="{_file_name(attachment)}"',
        "Content-Length": str(end - start + 1),
    }
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{end}/{size}"
    return speaker.raw(
        _slice(content, start, end - start + 1),
        now,
        content_type=_content_type(attachment),
        status=HTTPStatus.OK if part is None else HTTPStatus.PARTIAL_CONTENT,
        headers=headers,
    )


def entry_point(attachment: Record, content: bytes | Path) -> web.Response:
    """`GET /?entryPoint=download&id=`, which browsers use."""
    size = content.stat().st_size if isinstance(content, Path) else len(content)
    headers = {
        "Content-Security-Policy": "default-src 'self'; script-src 'none'; object-src 'none';",
        "Content-Description": "File Transfer",
        "Content-Disposition": f'inline;filename="{_file_name(attachment)}"',
        "Expires": "0",
        "Cache-Control": "must-revalidate",
        "Content-Length": str(size),
        "Content-Type": _content_type(attachment),
    }
    return web.Response(body=_slice(content, 0, size), headers=headers)


def _slice(content: bytes | Path, start: int, length: int) -> bytes | FilePart:
    return FilePart(content, start, length) if isinstance(content, Path) else content[start : start + length]


def _range(header: str | None, size: int) -> tuple[int, int] | None:
    match = _RANGE.fullmatch(header or "")
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size - 1
    start, end = int(first), min(int(last), size - 1) if last else size - 1
    if start > end:
        raise EspoError(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, html=True)
    return start, end


def _file_name(attachment: Record) -> str:
    return re.sub(r'[\r\n"]', "", str(attachment.get("name")))


def _content_type(attachment: Record) -> str:
    kind = str(attachment.get("type") or "application/octet-stream")
    # PHP's default charset is added to texts only.
    return f"{kind};charset=UTF-8" if kind.startswith("text/") else kind
