"""What an upstream answered."""

from collections.abc import AsyncIterator

import msgspec
from multidict import CIMultiDictProxy


class Answer(msgspec.Struct, frozen=True):
    """A whole answer: HTTP status, headers (names without regard to case) and body."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes = b""


class Streamed(msgspec.Struct, frozen=True):
    """An answer whose body is still on its way.

    `size` is the body's length in bytes if the upstream named it: a shorter body is then an error. `chunks` can be read
    once, while the context that gave this is open.
    """

    status: int
    headers: CIMultiDictProxy[str]
    size: int | None
    chunks: AsyncIterator[bytes]
