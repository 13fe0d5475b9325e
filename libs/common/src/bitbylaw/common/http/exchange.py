"""One attempt at one call: sent, read, measured, told to the breaker, and every fault turned into an error of ours."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http import HTTPStatus

import aiohttp
from aiohttp import hdrs
from multidict import CIMultiDictProxy

from bitbylaw.common.errors import PermanentError
from bitbylaw.common.http.breaker import Breaker, Permit
from bitbylaw.common.http.call import Call
from bitbylaw.common.http.failures import BROKEN, DOWN, broken, how_it_broke
from bitbylaw.common.telemetry.metrics import Metrics
from bitbylaw.common.telemetry.trace import TraceParent, current_trace

_CHUNK = 256 * 1024


class Exchange:
    """One attempt at `call`, for which `permit` was given. To be closed in any case."""

    def __init__(
        self, call: Call, session: aiohttp.ClientSession, *, permit: Permit, breaker: Breaker, metrics: Metrics
    ) -> None:
        self._call = call
        self._session = session
        self._permit = permit
        self._breaker = breaker
        self._metrics = metrics
        self._started = asyncio.get_running_loop().time()
        self._counted = False
        self._response: aiohttp.ClientResponse | None = None

    async def open(self) -> int:
        """Send the request, wait for status and headers; the status.

        Raises:
            TransientError: no answer came.
            LeaseLost: the write may not go out; nothing was sent.
        """
        call = self._call
        trace = current_trace.get()
        span = trace.child() if trace is not None else TraceParent.new()
        with self._breaks_are_ours():
            self._response = await self._session.request(
                call.method,
                call.url,
                data=call.body,
                headers={**call.headers, "traceparent": span.header()},
                timeout=call.timeout,
                allow_redirects=False,
            )
        # The callers that wait for a probe need not wait for its body too; a refused key lets nobody through.
        if self._permit.probe is not None and self.status != HTTPStatus.UNAUTHORIZED:
            self._tell_breaker(down=self.status in DOWN)
        return self.status

    @property
    def status(self) -> int:
        """The answer's status."""
        return self._answered.status

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The answer's headers."""
        return self._answered.headers

    @property
    def size(self) -> int | None:
        """The length of the body as it will be read, if the upstream named it."""
        return None if hdrs.CONTENT_ENCODING in self.headers else self._answered.content_length

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body in pieces.

        Raises:
            TransientError: it stopped before its end (a short Content-Length, an unfinished chunked body).
        """
        body = self._answered.content.iter_chunked(_CHUNK)
        while True:
            with self._breaks_are_ours():
                chunk = await anext(body, None)
            if chunk is None:
                return
            yield chunk

    async def read(self, limit: int) -> bytes:
        """The whole body.

        Raises:
            TransientError: it stopped before its end.
            PermanentError: it is longer than `limit` bytes.
        """
        body = bytearray()
        async for chunk in self.chunks():
            body += chunk
            if len(body) > limit:
                raise PermanentError(f"{self._call.name}: the answer is larger than {limit} bytes")
        return bytes(body)

    async def read_beginning(self, limit: int) -> bytes:
        """The first `limit` bytes of a body whose rest does not matter."""
        body = bytearray()
        async for chunk in self.chunks():
            body += chunk
            if len(body) >= limit:
                break
        return bytes(body[:limit])

    def close(self) -> None:
        """Count the attempt if it got an answer, and free the connection (reused if the body was read to its end)."""
        if self._response is None:
            return
        if not self._counted:
            self._count(str(self.status))
            self._tell_breaker(down=self.status in DOWN)
        self._response.close()

    @property
    def _answered(self) -> aiohttp.ClientResponse:
        if self._response is None:
            raise RuntimeError("no answer yet")
        return self._response

    @contextmanager
    def _breaks_are_ours(self) -> Iterator[None]:
        try:
            yield
        except BROKEN as error:
            how = how_it_broke(error)
            self._count(how)
            self._tell_breaker(down=True)
            raise broken(error, how, self._call.name) from error

    def _tell_breaker(self, *, down: bool) -> None:
        if down:
            self._breaker.record_failure(self._permit)
        else:
            self._breaker.record_success(self._permit)

    def _count(self, status: str) -> None:
        self._counted = True
        system, operation = self._breaker.system, self._call.operation
        self._metrics.upstream_requests.labels(system, operation, status).inc()
        seconds = asyncio.get_running_loop().time() - self._started
        self._metrics.upstream_request_seconds.labels(system, operation).observe(seconds)
