"""Which error of ours each fault on a real socket becomes, what is retried, and what counts against the system."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from tests.integration.http.upstream import KEY, answering, cut, forever, nobody_there, upstream

from bitbylaw.common.errors import (
    BitByLawError,
    CredentialsRefused,
    Executed,
    NotFound,
    PermanentError,
    RateLimited,
    Refused,
    TransientError,
    UpstreamDown,
)
from bitbylaw.common.http.circuit import BreakerPolicy, CircuitState
from bitbylaw.common.http.client import SUCCESS, UpstreamClient
from bitbylaw.common.telemetry.metrics import Metrics

OPENS_AT_ONCE = BreakerPolicy(failures=1)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (404, NotFound),
        (400, Refused),
        (401, CredentialsRefused),
        (403, Refused),
        (405, Refused),
        (409, Refused),
        (410, Refused),
        (413, Refused),
        (415, Refused),
        (422, Refused),
        (408, TransientError),
        (429, RateLimited),
        (500, TransientError),
        (501, TransientError),
        (502, TransientError),
        (503, TransientError),
        (504, TransientError),
    ],
)
async def test_status(status: int, error: type[BitByLawError]) -> None:
    """Each status has its place in the error tree; a write is sent once, whatever the answer."""
    async with upstream(answering(status)) as system:
        with pytest.raises(error) as caught:
            await system.client.request("op", "POST", "/thing/{id}", ids={"id": "abc"}, json={})
        assert type(caught.value) is error
        assert str(status) in str(caught.value)
        if isinstance(caught.value, Refused):
            assert caught.value.status == status
        assert len(system.asked) == 1
        assert system.counted(str(status)) == 1


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_statuses_that_mean_the_system_is_away(status: int) -> None:
    """502, 503 and 504 open the breaker: the next call is refused without being sent."""
    async with upstream(answering(status), policy=BreakerPolicy(failures=3)) as system:
        for _ in range(3):
            with pytest.raises(TransientError):
                await system.client.request("op", "POST", "/x")
        with pytest.raises(UpstreamDown):
            await system.client.request("op", "POST", "/x")
        with pytest.raises(UpstreamDown):
            async with system.client.stream("op", "GET", "/x"):
                pass
        assert len(system.asked) == 3


@pytest.mark.parametrize("status", [400, 404, 408, 429, 500])
async def test_statuses_that_one_entity_may_cause(status: int) -> None:
    """Anything else, 500 included, leaves the breaker closed."""
    async with upstream(answering(status), policy=OPENS_AT_ONCE) as system:
        for _ in range(2):
            with pytest.raises(BitByLawError):
                await system.client.request("op", "POST", "/x")
        assert system.client.breaker.state is CircuitState.CLOSED


async def test_probe_closes_the_breaker() -> None:
    """After the open time one call goes out; its success closes the breaker for all."""
    policy = BreakerPolicy(failures=1, open_seconds=0.05, max_open_seconds=0.05)
    async with upstream(answering(503, 200), policy=policy) as system:
        with pytest.raises(TransientError):
            await system.client.request("op", "POST", "/x")
        await system.client.breaker.wait_closed()
        answers = await asyncio.gather(*(system.client.request("op", "POST", "/x") for _ in range(4)))
        assert [answer.status for answer in answers] == [200] * 4
        assert system.client.breaker.state is CircuitState.CLOSED


# --- connections -----------------------------------------------------------------------------------------------------


async def test_refused_connection_of_a_read() -> None:
    """Without a connection a read is tried three times; nothing was executed."""
    async with nobody_there() as system:
        with pytest.raises(TransientError) as caught:
            await system.client.request("op", "GET", "/x")
        assert caught.value.executed is Executed.NO
        assert "ConnectionRefusedError" in str(caught.value)
        assert system.counted("connect") == 3


async def test_refused_connection_of_a_write() -> None:
    """A write that certainly never went out is tried once more, and then counts as not executed."""
    async with nobody_there() as system:
        with pytest.raises(TransientError) as caught:
            await system.client.request("op", "POST", "/x", json={"a": 1})
        assert caught.value.executed is Executed.NO
        assert system.counted("connect") == 2


async def test_refused_connection_of_a_form() -> None:
    """A form cannot be sent again: it is tried once, even when nobody was there."""
    async with nobody_there() as system:
        form = aiohttp.FormData({"a": "b"})
        with pytest.raises(TransientError):
            await system.client.request("op", "POST", "/x", data=form)
        assert system.counted("connect") == 1


async def test_refused_connections_open_the_breaker() -> None:
    """Connection failures count against the system."""
    async with nobody_there() as system:
        with pytest.raises(TransientError):
            await system.client.request("op", "GET", "/x")
        with pytest.raises(UpstreamDown):
            await system.client.request("op", "GET", "/x")
        assert system.counted("connect") == 4


async def test_unknown_host() -> None:
    """A host that no name service knows is a connection failure, not executed."""
    async with upstream(answering(200)) as system:
        system.client._base_url = "http://host.invalid"
        with pytest.raises(TransientError) as caught:
            await system.client.request("op", "POST", "/x")
        assert caught.value.executed is Executed.NO
        assert system.counted("connect") == 2


async def test_cut_before_headers() -> None:
    """A write whose connection is cut may have been executed: it is not sent again, and counts against the system."""

    async def handle(request: web.Request) -> web.StreamResponse:
        await request.read()
        cut(request)
        return web.Response()

    async with upstream(handle, policy=OPENS_AT_ONCE) as system:
        with pytest.raises(TransientError) as caught:
            await system.client.request("op", "PUT", "/x", json={"a": 1})
        assert caught.value.executed is Executed.UNKNOWN
        assert len(system.asked) == 1
        assert system.counted("cut") == 1
        assert system.client.breaker.state is CircuitState.OPEN


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
async def test_cut_on_a_kept_connection_is_not_resent(method: str) -> None:
    """PUT and DELETE, which aiohttp itself would resend when a kept connection breaks, reach the server once."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.method != "GET":
            cut(request)
        return web.Response()

    async with upstream(handle) as system:
        await system.client.request("op", "GET", "/x")
        with pytest.raises(TransientError) as caught:
            await system.client.request("op", method, "/x")
        assert caught.value.executed is Executed.UNKNOWN
        assert [request.method for request in system.asked] == ["GET", method]


async def test_cut_in_the_middle_of_a_body() -> None:
    """Half a body is no answer: a read is tried again, three times in all, and each try counts as cut."""

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"x" * 50)
        cut(request)
        return response

    async with upstream(handle) as system:
        with pytest.raises(TransientError):
            await system.client.request("op", "GET", "/x")
        assert len(system.asked) == 3
        assert system.counted("cut") == 3


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_slow(method: str) -> None:
    """No answer in time may have been executed, counts against the system, and repeats reads only."""
    async with upstream(forever, timeout=0.05, policy=BreakerPolicy(failures=3)) as system:
        with pytest.raises(TransientError) as caught:
            await system.client.request("op", method, "/x")
        tries = 3 if method == "GET" else 1
        assert caught.value.executed is Executed.UNKNOWN
        assert len(system.asked) == tries
        assert system.counted("timeout") == tries
        expected = CircuitState.OPEN if method == "GET" else CircuitState.CLOSED
        assert system.client.breaker.state is expected


async def test_read_succeeds_at_the_third_try() -> None:
    """Two passing faults of a read stay inside the call."""
    async with upstream(answering(500, 503, 200)) as system:
        assert (await system.client.request("op", "GET", "/x")).status == 200
        assert len(system.asked) == 3


# --- rate limits and Retry-After -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_rate_limit_is_kept_by_everybody(form: str) -> None:
    """After one 429 with a long pause nobody asks again before it is over, reads and writes alike."""
    header = "1800" if form == "seconds" else format_datetime(datetime.now(UTC) + timedelta(seconds=1800), usegmt=True)
    async with upstream(answering(429, Retry_After=header)) as system:
        for method in ("GET", "POST", "GET"):
            with pytest.raises(RateLimited) as caught:
                await system.client.request("op", method, "/x")
            assert caught.value.delay is not None
            assert 1700 < caught.value.delay <= 1800
            assert caught.value.executed is Executed.NO
        assert len(system.asked) == 1


async def test_rate_limit_without_a_time() -> None:
    """A 429 that names no pause leaves it to the backoff: no delay, and no retry inside the call."""
    async with upstream(answering(429)) as system:
        with pytest.raises(RateLimited) as caught:
            await system.client.request("op", "GET", "/x")
        assert caught.value.delay is None
        assert len(system.asked) == 1


async def test_retry_after_of_a_503() -> None:
    """A 503 that names a pause is not repeated inside the call; the pause is the error's delay."""
    async with upstream(answering(503, Retry_After="17")) as system:
        with pytest.raises(TransientError) as caught:
            await system.client.request("op", "GET", "/x")
        assert (caught.value.delay, len(system.asked)) == (17.0, 1)


# --- what else comes back --------------------------------------------------------------------------------------------


async def test_redirect_is_not_followed() -> None:
    """A redirect is refused: following it could carry the key to another host."""
    async with upstream(answering(302, Location="/elsewhere")) as system:
        with pytest.raises(Refused) as caught:
            await system.client.request("op", "GET", "/x")
        assert caught.value.status == 302
        assert len(system.asked) == 1


async def test_expected_statuses_are_answers() -> None:
    """A status that the caller expects is an answer, with headers in any case and the body."""
    gone = web.Response(status=404, body=b"nothing", headers={"X-Some": "1"})
    async with upstream(answering(gone)) as system:
        answer = await system.client.request("op", "GET", "/x", expect=SUCCESS | {404})
        assert (answer.status, answer.body, answer.headers["x-some"]) == (404, b"nothing", "1")


async def test_oversized_answer() -> None:
    """An answer above the limit is not read into memory, and trying again cannot help."""
    async with upstream(answering(web.Response(body=b"x" * 2000))) as system:
        with pytest.raises(PermanentError):
            await system.client.request("op", "GET", "/x", read_limit=1000)
        assert len(system.asked) == 1


async def test_messages_hold_no_secrets_and_no_values() -> None:
    """A message names method, template and status; never the id, the parameters, our key or anything like one."""
    body = b'{"error": "key ' + KEY.encode() + b' and xai-Ab12Cd34Ef56 refused", "records": ["Herr Meier"]}'
    async with upstream(answering(web.Response(status=403, body=body))) as system:
        with pytest.raises(Refused) as caught:
            await system.client.request("op", "GET", "/p/{id}", ids={"id": "mandant"}, params={"q": "Schmidt"})
        message = str(caught.value)
        assert message == "sys: GET /p/{id} (op) answered 403: key [masked] and [masked] refused"


async def test_failure_body_that_is_cut() -> None:
    """When even the explanation of a failure is cut, the status decides."""

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=409, headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"x")
        cut(request)
        return response

    async with upstream(handle) as system:
        with pytest.raises(Refused):
            await system.client.request("op", "POST", "/x")


async def test_closed_client() -> None:
    """A call after closing is a fault of the caller, not of the upstream."""
    async with upstream(answering(200)) as system:
        await system.client.close()
        with pytest.raises(RuntimeError, match="closed"):
            await system.client.request("op", "GET", "/x")


async def test_refusal_in_the_middle_of_an_upload(tmp_path: Path) -> None:
    """A server that answers 413 before it has read the body, and then closes, is heard: no mere cut connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        while await reader.read(1 << 16):  # as nginx does (lingering_close): reset, the client would lose the answer
            pass
        writer.close()

    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(20 * 1024 * 1024)
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = "http://127.0.0.1:" + str(server.sockets[0].getsockname()[1])
    async with server, UpstreamClient(system="sys", base_url=url, metrics=Metrics()) as client:
        with path.open("rb") as content:
            form = aiohttp.FormData(quote_fields=False)
            form.add_field("file", content, filename="x")
            with pytest.raises(Refused) as caught:
                await client.request("op", "POST", "/x", data=form)
        assert caught.value.status == 413
