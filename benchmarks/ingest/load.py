"""The load as a process: raw HTTP/1.1 over kept connections, one request at a time on each, no pipelining.

`python -m benchmarks.ingest.load <Load as JSON>` prints a Measured as JSON.
"""

import asyncio
import resource
import sys
from array import array
from collections.abc import Iterator
from itertools import cycle
from time import perf_counter
from typing import cast

import msgspec
import uvloop

from benchmarks.ingest.webhooks import Load, Measured, request

_LENGTH = b"Content-Length: "
_END_OF_HEAD = b"\r\n\r\n"


class Tally:
    """What all connections of a run share."""

    def __init__(self, load: Load, requests: list[bytes]) -> None:
        self.requests: Iterator[bytes] = cycle(requests) if load.again else iter(requests)
        self.waits = array("d")
        self.errors = 0
        self.accepted = 0
        self.begin = perf_counter() + load.warm_up
        self.end = self.begin + load.seconds
        self.last = self.begin

    def answered(self, asked_at: float, *, ok: bool) -> None:
        """Note an answer; it counts if it came after the warm-up, until the last answer to what was asked in time."""
        now = perf_counter()
        if not ok:
            self.errors += 1
            return
        self.accepted += 1
        if now >= self.begin:
            self.waits.append(now - asked_at)
            self.last = now

    def measured(self, busy: float) -> Measured:
        """The run's figures."""
        waits = sorted(self.waits)
        return Measured(
            requests=len(waits),
            seconds=self.last - self.begin,
            p50=waits[len(waits) // 2] * 1000,
            p99=waits[min(int(len(waits) * 0.99), len(waits) - 1)] * 1000,
            errors=self.errors,
            accepted=self.accepted,
            busy=busy,
        )


class Connection(asyncio.Protocol):
    """One sender: the next request goes out when the answer to the last one is complete."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._asked_at = 0.0
        self._waiting = False
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class, of the same form
        self._send()

    def data_received(self, data: bytes) -> None:
        """Take an answer, or the first part of one."""
        answer = self._buffer + data if self._buffer else data
        head = answer.find(_END_OF_HEAD)
        length = answer.find(_LENGTH)
        if head < 0 or len(answer) < head + 4 + int(answer[length + 16 : answer.find(b"\r", length)]):
            self._buffer = answer
            return
        self._buffer = b""
        self._waiting = False
        self._tally.answered(self._asked_at, ok=answer.startswith(b"HTTP/1.1 200 "))
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """End; an answer that never came is an error."""
        del exc
        if self._waiting:
            self._tally.errors += 1
        if not self.closed.done():
            self.closed.set_result(None)

    def _send(self) -> None:
        assert self._transport is not None
        self._asked_at = perf_counter()
        message = next(self._tally.requests, None) if self._asked_at < self._tally.end else None
        if message is None:
            self._transport.close()
            return
        self._waiting = True
        self._transport.write(message)


async def run(load: Load, requests: list[bytes]) -> Measured:
    """One run."""
    loop = asyncio.get_running_loop()
    tally = Tally(load, requests)
    started, cpu = perf_counter(), _cpu()
    connections = [
        (await loop.create_connection(lambda: Connection(tally), "127.0.0.1", load.port))[1]
        for _ in range(load.connections)
    ]
    await asyncio.gather(*(connection.closed for connection in connections))
    return tally.measured((_cpu() - cpu) / (perf_counter() - started))


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    wanted = msgspec.json.decode(sys.argv[1], type=Load)
    prepared = [request(wanted, number) for number in range(wanted.pool)]
    sys.stdout.write(msgspec.json.encode(uvloop.run(run(wanted, prepared))).decode() + "\n")
