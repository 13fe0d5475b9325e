"""Messages straight onto nats-py's connection: the one place that reaches into its insides, and why.

nats-py builds every request anew from a random inbox, a regular expression for each header and subject, a timer task
and a closure: 50 µs, where the message itself costs 5. A webhook needs one such message, a run of an actor three. What
is used here of nats-py's own: its queue of bytes to send (`_send_command`, `_flush_queue`, `_flush_pending`) and its
table of waiting requests (`_init_request_sub`, `_resp_sub_prefix`, `_resp_map`; `Bus` already fails these when the
connection is lost).
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import count

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import (
    BadHeaderError,
    BadSubjectError,
    ConnectionClosedError,
    MaxPayloadError,
    NoRespondersError,
    OutboundBufferLimitError,
)
from nats.errors import TimeoutError as NatsTimeoutError

_SUBJECT = re.compile(r"[^ \t\r\n]+").fullmatch
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_numbers = count(1)


def message(subject: str, body: bytes, headers: Mapping[str, str], *, limit: int, reply: str = "") -> bytes:
    """A message as it goes over the wire.

    Raises:
        BadSubjectError: the subject is empty, or white space in it would end it early.
        BadHeaderError: a header's name is none, or its value is more than a line.
        MaxPayloadError: body and headers are larger than `limit`; the server would hang up over it.
    """
    if not _SUBJECT(subject):
        raise BadSubjectError
    head = _head(headers)
    size = len(head) + len(body)
    if size > limit:
        raise MaxPayloadError
    if not head:
        return b"".join((f"PUB {subject} {reply} {size}\r\n".encode(), body, b"\r\n"))
    return b"".join((f"HPUB {subject} {reply} {len(head)} {size}\r\n".encode(), head, body, b"\r\n"))


async def send(client: Client, messages: Sequence[bytes]) -> None:
    """Hand `messages` to the connection, in order.

    Raises:
        ConnectionClosedError: it is closed for good.
        OutboundBufferLimitError: it is away just now; nothing was sent.
    """
    if client.is_closed:
        raise ConnectionClosedError
    if not client.is_connected:
        raise OutboundBufferLimitError
    await client._send_command(b"".join(messages))  # noqa: SLF001  (see above)
    if client._flush_queue is not None and client._flush_queue.empty():  # noqa: SLF001  (see above)
        await client._flush_pending()  # noqa: SLF001  (see above)


async def request(
    client: Client,
    subject: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    timeout: float,
    before: Sequence[bytes] = (),
) -> Msg:
    """Send `before` and then a request, and wait for its answer.

    Raises:
        NatsTimeoutError: none came within `timeout` seconds.
        NoRespondersError: nobody is there to answer.
        Error: see `message` and `send`; ConnectionReconnectingError when the connection is lost meanwhile.
    """
    if client._resp_sub_prefix is None:  # noqa: SLF001  (see above)
        await client._init_request_sub()  # noqa: SLF001  (see above)
    prefix = client._resp_sub_prefix or b""  # noqa: SLF001  (see above)
    token = f"b{next(_numbers)}"  # nats-py's own are 26 characters long
    wire = message(subject, body, headers, limit=client.max_payload, reply=prefix.decode() + token)
    loop = asyncio.get_running_loop()
    waiting: dict[str, asyncio.Future[Msg]] = client._resp_map  # noqa: SLF001  (see above)
    answer = waiting[token] = loop.create_future()
    timer = loop.call_later(timeout, _expire, answer)
    try:
        await send(client, (*before, wire))
        received: Msg = await answer
    finally:
        timer.cancel()
        waiting.pop(token, None)
    if received.headers and received.headers.get("Status") == "503":
        raise NoRespondersError
    return received


def _expire(answer: "asyncio.Future[Msg]") -> None:
    if not answer.done():
        answer.set_exception(NatsTimeoutError())


def _head(headers: Mapping[str, str]) -> bytes:
    if not headers:
        return b""
    lines = "".join([f"{_header_name(name)}: {value}\r\n" for name, value in headers.items()])
    if lines.count("\n") != len(headers) or lines.count("\r") != len(headers):
        raise BadHeaderError("a value of more than one line")
    return f"NATS/1.0\r\n{lines}\r\n".encode()


@lru_cache(maxsize=256)
def _header_name(name: str) -> str:
    """`name`, if it is one."""
    if not _HEADER_NAME(name):
        raise BadHeaderError(name)
    return name
