"""Speaks HTTP/1.1 over a plain socket, so that a captured request is sent as it was and nothing is hidden."""

import asyncio
from urllib.parse import urlsplit

import msgspec


class Answer(msgspec.Struct, frozen=True):
    """What came back; header names as sent, the body without its transfer encoding."""

    status: int
    headers: dict[str, str]
    body: bytes


async def send(url: str, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
    """Send one request on a connection of its own and read until the server closes it."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    await writer.drain()
    raw = await reader.read()
    writer.close()
    await writer.wait_closed()
    return parse(raw)


def parse(raw: bytes) -> Answer:
    """Split a raw response."""
    head, _, body = raw.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = {name: value.removeprefix(" ") for line in lines for name, _, value in [line.partition(":")]}
    if headers.get("Transfer-Encoding") == "chunked":
        body = _dechunked(body)
    return Answer(status=int(status.split(" ")[1]), headers=headers, body=body)


def _dechunked(raw: bytes) -> bytes:
    body = b""
    while raw:
        size, _, rest = raw.partition(b"\r\n")
        length = int(size, 16)
        body += rest[:length]
        raw = rest[length + 2 :]
    return body
