"""How an answer of xAI is written."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
from aiohttp import web

_STREAMED_FROM = 1024 * 1024
"""Contents from this size on are streamed from disk."""


def json_answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Answer with JSON."""
    return web.Response(
        body=msgspec.json.encode(value), status=status, headers=headers, content_type="application/json"
    )


def content_answer(path: Path) -> web.Response:
    """Answer with the content of a file."""
    small = path.stat().st_size < _STREAMED_FROM
    # aiohttp closes the open file when it has sent it.
    body = path.read_bytes() if small else path.open("rb")
    return web.Response(body=body, content_type="application/octet-stream")
