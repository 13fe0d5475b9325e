"""Reading the multipart form of `POST /v1/files`, part by part in the order it comes (reference, Files REST)."""

import mimetypes
from collections.abc import AsyncIterator

import msgspec
from aiohttp import BodyPartReader, MultipartReader, web

from bitbylaw.simulators.xai.errors import XaiError, bad_request
from bitbylaw.simulators.xai.filenames import check_filename, received_filename

_CHUNK = 64 * 1024
_SHORTEST_LIFE, _LONGEST_LIFE = 3600, 2_592_000
_LIFE = {"expires_after", "expires_after[seconds]"}
_MAX_VALUE = 4096


class FileForm(msgspec.Struct):
    """What the form says so far; `expires_after` in seconds."""

    purpose: str = ""
    expires_after: int | None = None


class FilePart(msgspec.Struct, frozen=True):
    """The form's `file` with its name and type, before its content has been read."""

    filename: str
    content_type: str
    part: BodyPartReader

    async def chunks(self) -> AsyncIterator[bytes]:
        """The content in pieces."""
        while not self.part.at_eof():
            try:
                chunk = await self.part.read_chunk(_CHUNK)
            except ValueError as error:
                raise _malformed(error) from error
            yield chunk


class FileFormReader:
    """Reads the form in two steps, as a server that streams must: what stands before the file, then what follows."""

    def __init__(self, request: web.Request) -> None:
        if request.content_type != "multipart/form-data":
            raise bad_request("Request must be multipart/form-data.")
        self.form = FileForm()
        self._request = request
        self._reader: MultipartReader | None = None

    async def until_file(self) -> FilePart:
        """Read the values up to the file. Raises `XaiError` (400) when there is none or its name is not allowed."""
        try:
            self._reader = await self._request.multipart()
        except ValueError as error:
            raise _malformed(error) from error
        while (part := await self._next_part()) is not None:
            if part.name == "file":
                return _file_part(part)
            await self._take_value(part)
        raise bad_request("Missing required field `file`.")

    async def rest(self) -> None:
        """Read what follows the file. Raises `XaiError` (400) for `expires_after`, which must come before it."""
        while (part := await self._next_part()) is not None:
            if part.name in _LIFE:
                raise bad_request("`expires_after` must precede the `file` field.")
            await self._take_value(part)

    async def _next_part(self) -> BodyPartReader | None:
        if self._reader is None:
            return None
        try:
            part = await self._reader.next()
        except ValueError as error:
            raise _malformed(error) from error
        if isinstance(part, MultipartReader):
            raise bad_request("Nested multipart bodies are not supported.")
        return part

    async def _take_value(self, part: BodyPartReader) -> None:
        value = (await part.read_chunk(_MAX_VALUE)).decode(errors="replace")
        await part.release()
        if part.name == "purpose":
            self.form.purpose = value
        elif part.name in _LIFE:
            self.form.expires_after = _life(value)


def _malformed(error: ValueError) -> XaiError:
    return bad_request(f"Malformed multipart body: {error}")


def _file_part(part: BodyPartReader) -> FilePart:
    filename = received_filename(part.headers.get("Content-Disposition", ""))
    if filename is None:
        raise bad_request("Field `file` has no filename.")
    check_filename(filename)
    sent_type = part.headers.get("Content-Type")
    guessed = mimetypes.guess_type(filename)[0] or "application/octet-stream"
    return FilePart(filename=filename, content_type=sent_type or guessed, part=part)


def _life(value: str) -> int:
    seconds = int(value) if value.isdecimal() else 0
    if not _SHORTEST_LIFE <= seconds <= _LONGEST_LIFE:
        raise bad_request(f"`expires_after` must be between {_SHORTEST_LIFE} and {_LONGEST_LIFE} seconds.")
    return seconds
