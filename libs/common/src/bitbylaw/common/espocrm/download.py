"""Downloads of attachments. Source: reference espocrm.md, section 5; sample 05_attachment."""

import re
from collections.abc import AsyncIterator
from urllib.parse import unquote

import msgspec
from aiohttp import hdrs

from bitbylaw.common.http.answer import Streamed

_EXTENDED = re.compile(r"filename\*\s*=\s*UTF-8'[^']*'([^;\s]+)", re.IGNORECASE)
# Greedy up to the last quote: EspoCRM puts the name last, and a name may hold semicolons or quotes.
_QUOTED = re.compile(r'filename\s*=\s*"(.*)"', re.IGNORECASE | re.DOTALL)
_PLAIN = re.compile(r"filename\s*=\s*([^;]+)", re.IGNORECASE)


class Download(msgspec.Struct, frozen=True):
    """A file on its way.

    `size` in bytes is None if EspoCRM named none; with it, a body that ends early is a TransientError while `chunks` is
    read. `content_type` may have parameters. `filename` is as EspoCRM says, not fit for use as a path.
    """

    size: int | None
    content_type: str | None
    filename: str | None
    chunks: AsyncIterator[bytes]


def download_of(streamed: Streamed) -> Download:
    """The download that an answer to `GET Attachment/file/{id}` is."""
    headers = streamed.headers
    return Download(
        size=streamed.size,
        content_type=headers.get(hdrs.CONTENT_TYPE),
        filename=filename_of(headers.get(hdrs.CONTENT_DISPOSITION)),
        chunks=streamed.chunks,
    )


def filename_of(disposition: str | None) -> str | None:
    """The name in a Content-Disposition header; EspoCRM sends it as raw UTF-8 (not what RFC 6266 asks for)."""
    text = disposition or ""
    if match := _EXTENDED.search(text):
        return unquote(match[1]) or None
    if match := _QUOTED.search(text):
        return _decoded(re.sub(r"\\(.)", r"\1", match[1])) or None
    if match := _PLAIN.search(text):
        return _decoded(match[1].strip()) or None
    return None


def _decoded(name: str) -> str:
    """Bytes that are no UTF-8 reach us as surrogates, which could not be written anywhere."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
