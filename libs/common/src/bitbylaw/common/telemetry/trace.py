"""W3C Trace Context: `traceparent`, carried from the webhook over the bus to the last upstream call.

Source: https://www.w3.org/TR/trace-context/ (version 00).
"""

import re
from contextvars import ContextVar
from random import getrandbits
from typing import Self

import msgspec

_FORM = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")


class TraceParent(msgspec.Struct, frozen=True):
    """A place in a trace: 16 bytes of trace id and 8 of span id, in hex, and whether it is sampled."""

    trace_id: str
    span_id: str
    sampled: bool = True

    @classmethod
    def new(cls) -> Self:
        """The start of a new trace."""
        return cls(_random_hex(16), _random_hex(8))

    @classmethod
    def parse(cls, header: str | None) -> Self | None:
        """The place a `traceparent` header names, None if there is none or it is not well-formed."""
        match = _FORM.fullmatch(header.strip()) if header else None
        if match is None or set(match[1]) == {"0"} or set(match[2]) == {"0"}:
            return None
        return cls(match[1], match[2], sampled=bool(int(match[3], 16) & 1))

    def child(self) -> Self:
        """A new span in the same trace."""
        return type(self)(self.trace_id, _random_hex(8), sampled=self.sampled)

    def header(self) -> str:
        """The value for a `traceparent` header."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


def _random_hex(size: int) -> str:
    """`size` bytes in hex, not all zero. Unlike any other is enough: these are no secrets, and made for every call."""
    return f"{getrandbits(8 * size) or 1:0{2 * size}x}"


#: The trace of the run or request in progress; outgoing calls continue it.
current_trace: ContextVar[TraceParent | None] = ContextVar("current_trace", default=None)
