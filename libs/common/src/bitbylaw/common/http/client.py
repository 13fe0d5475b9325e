"""The one way out to other systems: limits, breaker, fencing, retries, tracing, metrics and errors of ours."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Self

import aiohttp
import msgspec
import stamina
from aiohttp import hdrs
from yarl import URL

from bitbylaw.common.errors import BitByLawError, CredentialsRefused, RateLimited, TransientError
from bitbylaw.common.http.answer import Answer, Streamed
from bitbylaw.common.http.breaker import Breaker, Permit
from bitbylaw.common.http.call import Body, Call
from bitbylaw.common.http.dialect import Dialect, PlainDialect
from bitbylaw.common.http.exchange import Exchange
from bitbylaw.common.http.failures import refused_or_failed
from bitbylaw.common.http.fence import FencedRequest, never_resend, write_guard
from bitbylaw.common.http.gate import Gate
from bitbylaw.common.http.path import fill
from bitbylaw.common.http.reason import presentable
from bitbylaw.common.telemetry.metrics import Metrics

__all__ = ["SUCCESS", "UpstreamClient", "write_guard"]

#: Statuses that are no failure, if a call names no others.
SUCCESS = frozenset(range(200, 300))
#: The largest body of an answer read into memory, in bytes.
READ_LIMIT = 32 * 1024 * 1024
_ERROR_LIMIT = 64 * 1024
#: Kept connections are given up before the server does it: Apache closes after 5 s, and a request sent into a closing
#: connection is cut without anybody knowing whether it was executed.
_IDLE_SECONDS = 4.0
_CONNECT_SECONDS = 10.0
#: Full jitter: a retry inside a call comes after 0 to this many seconds.
_RETRY_JITTER = 0.25
_HARMLESS_HEADERS = frozenset({"accept", "content-type", "user-agent"})
_JSON = "application/json"


class UpstreamClient:
    """Calls to one system. To be used (or at least closed) in the event loop that calls it.

    `headers` go with every call; all but the harmless ones count as secrets. `timeout` is the longest wait in seconds
    for an answer or for the next piece of one. `concurrency` bounds calls at once, `rate` calls per second.
    """

    def __init__(
        self,
        *,
        system: str,
        base_url: str,
        metrics: Metrics,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30.0,
        concurrency: int = 32,
        rate: float | None = None,
        breaker: Breaker | None = None,
    ) -> None:
        self.system = system
        self.breaker = breaker or Breaker(system, metrics)
        self._base_url = base_url.rstrip("/")
        self._metrics = metrics
        self._headers = {hdrs.ACCEPT: _JSON, hdrs.USER_AGENT: "bitbylaw", **(headers or {})}
        self._timeout = timeout
        self._dialect: Dialect = PlainDialect()
        self._gate = Gate(self.breaker, concurrency=concurrency, rate=rate)
        self._secrets = _secrets(self._headers)
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def speaks(self, dialect: Dialect) -> None:
        """Read failures as `dialect` says from now on. Set once, by the client that stands on this one."""
        self._dialect = dialect

    async def close(self) -> None:
        """Give up all connections; calls on their way are cut, later ones are a fault of the caller."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    async def request(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        ids: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        json: object = None,
        data: Body = None,
        headers: Mapping[str, str] | None = None,
        expect: frozenset[int] = SUCCESS,
        read_limit: int = READ_LIMIT,
        timeout: float | None = None,
    ) -> Answer:
        """Call `method` on `path` and read the whole answer.

        `operation` is a word for metrics; `path` a template whose `{names}` are filled from `ids`, escaped. A body is
        `json`, or `data` (a form can be sent only once). `timeout` bounds the whole attempt, for large bodies. Reads
        are tried three times, writes a second time only if they certainly never went out.

        Raises:
            NotFound: 404.
            Refused: another 4xx, or a redirect.
            RateLimited: 429, now or shortly before; all calls keep the pause it names.
            UpstreamDown: the breaker is open.
            TransientError: no connection (not executed), no whole answer, 408 or 5xx (maybe executed).
            LeaseLost: `write_guard` stopped a write before it was sent.
            PermanentError: an id is none, or the answer is too large.
        """
        total = self._timeout if timeout is None else timeout
        call = self._call(
            operation, method, path, ids, params, _body(json, data), headers, expect, json=json is not None, total=total
        )
        async for attempt in self._attempts(call):
            with attempt, self._heeding_refused_keys():
                async with self._gate.passing() as permit:
                    return await self._answer(call, permit, read_limit)
        raise RuntimeError("unreachable: the last attempt returns or raises")

    @asynccontextmanager
    async def stream(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        ids: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        expect: frozenset[int] = SUCCESS,
        timeout: float | None = None,
    ) -> AsyncIterator[Streamed]:
        """The same for an answer whose body is read piece by piece; it holds its place among the calls until the end.

        `timeout` bounds the whole transfer (None: only the wait for each piece is bounded). Opening it is retried like
        any read; a body that stops before its end is a TransientError where it is read.
        """
        # A compressed body could not be held against its Content-Length.
        plain = {hdrs.ACCEPT: "*/*", hdrs.ACCEPT_ENCODING: "identity", **(headers or {})}
        call = self._call(operation, method, path, ids, params, None, plain, expect, json=False, total=timeout)
        async with AsyncExitStack() as stack:
            exchange = await self._open_stream(call, stack)
            yield Streamed(exchange.status, exchange.headers, exchange.size, exchange.chunks())

    # --- one call ----------------------------------------------------------------------------------------------------

    def _call(
        self,
        operation: str,
        method: str,
        path: str,
        ids: Mapping[str, str] | None,
        params: Mapping[str, str] | None,
        body: Body,
        headers: Mapping[str, str] | None,
        expect: frozenset[int],
        *,
        json: bool,
        total: float | None,
    ) -> Call:
        url = URL(self._base_url + fill(path, ids or {}), encoded=True)
        return Call(
            name=f"{self.system}: {method} {path} ({operation})",
            operation=operation,
            method=method,
            url=url.with_query(params) if params else url,
            headers={**self._headers, **({hdrs.CONTENT_TYPE: _JSON} if json else {}), **(headers or {})},
            body=body,
            expect=expect,
            timeout=aiohttp.ClientTimeout(
                total=total, sock_connect=min(_CONNECT_SECONDS, self._timeout), sock_read=self._timeout
            ),
        )

    def _attempts(self, call: Call) -> AsyncIterator[stamina.Attempt]:
        return aiter(
            stamina.retry_context(
                on=call.worth_repeating,
                attempts=call.attempts,
                timeout=None,
                wait_initial=0.0,
                wait_jitter=_RETRY_JITTER,
            )
        )

    async def _answer(self, call: Call, permit: Permit, read_limit: int) -> Answer:
        exchange = self._exchange(call, permit)
        try:
            if await exchange.open() not in call.expect:
                raise await self._failure(call, exchange)
            return Answer(exchange.status, exchange.headers, await exchange.read(read_limit))
        finally:
            exchange.close()

    async def _open_stream(self, call: Call, stack: AsyncExitStack) -> Exchange:
        async for attempt in self._attempts(call):
            with attempt, self._heeding_refused_keys():
                async with AsyncExitStack() as trying:
                    permit = await trying.enter_async_context(self._gate.passing())
                    exchange = self._exchange(call, permit)
                    trying.callback(exchange.close)
                    if await exchange.open() not in call.expect:
                        raise await self._failure(call, exchange)
                    stack.push_async_exit(trying.pop_all())
                    return exchange
        raise RuntimeError("unreachable: the last attempt returns or raises")

    def _exchange(self, call: Call, permit: Permit) -> Exchange:
        return Exchange(call, self._connected(), permit=permit, breaker=self.breaker, metrics=self._metrics)

    async def _failure(self, call: Call, exchange: Exchange) -> BitByLawError:
        """The error that an unexpected answer means; a rate limit is kept by all calls from now on."""
        try:
            body = await exchange.read_beginning(_ERROR_LIMIT)
        except TransientError:
            body = b""  # the status says enough
        answer = Answer(exchange.status, exchange.headers, body)
        message = f"{call.name} answered {answer.status}"
        if reason := presentable(self._dialect.reason(answer) or "", self._secrets):
            message = f"{message}: {reason}"
        error = self._dialect.error(answer, message) or refused_or_failed(self.system, answer, message)
        if isinstance(error, RateLimited) and error.delay is not None:
            self._gate.pause.ask(error.delay)
        return error

    @contextmanager
    def _heeding_refused_keys(self) -> Iterator[None]:
        """Around a whole attempt: its end tells the breaker that the system is there, and must not undo the trip."""
        try:
            yield
        except CredentialsRefused as refused:
            self.breaker.trip(refused.delay)
            raise

    def _connected(self) -> aiohttp.ClientSession:
        if self._closed:
            raise RuntimeError(f"the client of {self.system} is closed")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # How many calls run at once is the gate's business.
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(loop=asyncio.get_running_loop()),
                request_class=FencedRequest,
                middlewares=(never_resend,),
            )
        return self._session


def _body(json: object, data: Body) -> Body:
    return data if json is None else msgspec.json.encode(json)


def _secrets(headers: Mapping[str, str]) -> frozenset[str]:
    """What must never stand in a message: the credentials among `headers`, without their scheme."""
    values = (value.rpartition(" ")[2] for name, value in headers.items() if name.lower() not in _HARMLESS_HEADERS)
    return frozenset(value for value in values if value)
