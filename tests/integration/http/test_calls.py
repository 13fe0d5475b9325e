"""What goes out: fencing, limits, traces, bodies, streams."""

import asyncio
import hashlib
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from tests.integration.http.upstream import answering, cut, upstream

from bitbylaw.common.errors import LeaseLost, PermanentError, TransientError
from bitbylaw.common.http.circuit import BreakerPolicy, CircuitState
from bitbylaw.common.http.client import write_guard
from bitbylaw.common.telemetry.trace import TraceParent, current_trace

MEBIBYTE = 1024 * 1024


class Lease:
    """A guard that counts, and refuses once it is lost."""

    def __init__(self) -> None:
        self.asked = 0
        self.lost = False

    def __call__(self) -> None:
        self.asked += 1
        if self.lost:
            raise LeaseLost("lost")


@pytest.fixture
def lease() -> Lease:
    return Lease()


@pytest.fixture(autouse=True)
def without_guard() -> Iterator[None]:
    yield
    assert write_guard.get() is None, "a test's guard must stay in its own context"


async def test_guard_is_asked_before_writes_only(lease: Lease) -> None:
    """Every writing method asks the lease once, reading ones never."""
    write_guard.set(lease)
    async with upstream(answering(200)) as system:
        await system.client.request("op", "GET", "/x")
        async with system.client.stream("op", "GET", "/x"):
            pass
        assert lease.asked == 0
        for number, method in enumerate(("POST", "PUT", "PATCH", "DELETE"), 1):
            await system.client.request("op", method, "/x", json={})
            assert lease.asked == number


async def test_lost_lease_stops_a_write_that_waited_for_its_turn(lease: Lease) -> None:
    """The lease is asked after the wait for a free slot: what was queued before the loss is not sent after it."""
    write_guard.set(lease)
    arrived, leave = asyncio.Event(), asyncio.Event()

    async def handle(_request: web.Request) -> web.StreamResponse:
        arrived.set()
        await leave.wait()
        return web.Response()

    async with upstream(handle, concurrency=1) as system:
        reading = asyncio.create_task(system.client.request("op", "GET", "/x"))
        await arrived.wait()
        writing = asyncio.create_task(system.client.request("op", "POST", "/x", json={}))
        await asyncio.sleep(0)
        assert lease.asked == 0
        lease.lost = True
        leave.set()
        await reading
        with pytest.raises(LeaseLost):
            await writing
        assert [request.method for request in system.asked] == ["GET"]


@pytest.mark.parametrize("kept", [True, False])
async def test_lost_lease_leaves_the_client_usable(lease: Lease, *, kept: bool) -> None:
    """A write stopped by the guard, on a new or a kept connection, frees its slot and is no sign against the system."""
    write_guard.set(lease)
    async with upstream(answering(200), concurrency=1, policy=BreakerPolicy(failures=1)) as system:
        if kept:
            await system.client.request("op", "GET", "/x")
        lease.lost = True
        with pytest.raises(LeaseLost):
            await system.client.request("op", "PUT", "/x", json={})
        assert (await system.client.request("op", "GET", "/x")).status == 200
        assert [request.method for request in system.asked] == ["GET"] * (2 if kept else 1)
        assert system.client.breaker.state is CircuitState.CLOSED


async def test_cancelled_probe_leaves_the_breaker_usable() -> None:
    """When the run of a probe is cancelled, the next call is the probe."""
    arrived, calls = asyncio.Event(), 0

    async def handle(_request: web.Request) -> web.StreamResponse:
        nonlocal calls
        calls += 1
        if calls == 1:
            return web.Response(status=503)
        if calls == 2:
            arrived.set()
            await asyncio.Event().wait()
        return web.Response()

    policy = BreakerPolicy(failures=1, open_seconds=0.05)
    async with upstream(handle, policy=policy) as system:
        with pytest.raises(TransientError):
            await system.client.request("op", "POST", "/x")
        await system.client.breaker.wait_closed()
        probe = asyncio.create_task(system.client.request("op", "POST", "/x"))
        await arrived.wait()
        probe.cancel()
        assert (await system.client.request("op", "POST", "/x")).status == 200


async def test_concurrency_is_bounded() -> None:
    """No more calls than allowed are at the server at once."""
    at_once = most = 0

    async def handle(_request: web.Request) -> web.StreamResponse:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.01)
        at_once -= 1
        return web.Response()

    async with upstream(handle, concurrency=3) as system:
        await asyncio.gather(*(system.client.request("op", "GET", "/x") for _ in range(12)))
    assert most == 3


async def test_trace_is_continued() -> None:
    """The call is a new span of the current trace; without one it starts a trace."""
    async with upstream(answering(200)) as system:
        trace = TraceParent.new()
        token = current_trace.set(trace)
        await system.client.request("op", "GET", "/x")
        current_trace.reset(token)
        await system.client.request("op", "GET", "/x")
        inside, outside = (TraceParent.parse(request.headers.get("traceparent")) for request in system.asked)
        assert inside is not None
        assert outside is not None
        assert (inside.trace_id, outside.trace_id != trace.trace_id) == (trace.trace_id, True)
        assert inside.span_id != trace.span_id


async def test_what_is_sent() -> None:
    """Default headers, JSON with umlauts, parameters and ids arrive as they are meant."""
    bodies: list[bytes] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        bodies.append(await request.read())
        return web.Response()

    async with upstream(handle) as system:
        await system.client.request(
            "op", "POST", "/a/{id}", ids={"id": "ü &?#%"}, params={"q": '{"a":"ä&+"}'}, json={"n": "Räumung"}
        )
        [request] = system.asked
        assert request.path == "/v1/a/ü &?#%"
        assert dict(request.query) == {"q": '{"a":"ä&+"}'}
        assert bodies == ['{"n":"Räumung"}'.encode()]
        assert request.headers["Content-Type"] == "application/json"
        assert request.headers["Authorization"].startswith("Bearer ")


async def test_ids_that_would_change_the_path_never_leave() -> None:
    """An id with a slash is refused before anything is sent."""
    async with upstream(answering(200)) as system:
        with pytest.raises(PermanentError):
            await system.client.request("op", "DELETE", "/a/{id}", ids={"id": "../b"})
        assert system.asked == []


async def test_cookies_are_not_kept() -> None:
    """A cookie of one answer does not come with the next call."""
    async with upstream(answering(200, Set_Cookie="auth=1")) as system:
        await system.client.request("op", "GET", "/x")
        await system.client.request("op", "GET", "/x")
        assert "Cookie" not in system.asked[1].headers
        assert system.asked[0].transport is system.asked[1].transport  # one kept connection


async def test_duration_is_measured() -> None:
    """Each attempt's duration is observed under its operation."""
    async with upstream(answering(500, 200)) as system:
        await system.client.request("op", "GET", "/x")
        labels = {"system": "sys", "operation": "op"}
        count = system.metrics.registry.get_sample_value("bitbylaw_upstream_request_seconds_count", labels)
        assert count == 2
        assert (system.counted("500"), system.counted("200")) == (1, 1)


# --- streams ---------------------------------------------------------------------------------------------------------


async def test_stream_of_a_large_body_in_constant_memory() -> None:
    """48 MiB come through whole, piece by piece, without ever being in memory together."""
    piece = bytes(range(256)) * 256

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(48 * MEBIBYTE)})
        await response.prepare(request)
        for _ in range(48 * MEBIBYTE // len(piece)):
            await response.write(piece)
        return response

    async with upstream(handle) as system:
        digest, size = hashlib.sha256(), 0
        tracemalloc.start()
        try:
            async with system.client.stream("op", "GET", "/x") as streamed:
                assert streamed.size == 48 * MEBIBYTE
                async for chunk in streamed.chunks:
                    digest.update(chunk)
                    size += len(chunk)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert size == 48 * MEBIBYTE
        assert digest.hexdigest() == hashlib.sha256(piece * (size // len(piece))).hexdigest()
        assert peak < 8 * MEBIBYTE
        assert system.counted("200") == 1


@pytest.mark.parametrize("chunked", [True, False])
async def test_stream_that_is_cut(*, chunked: bool) -> None:
    """A body that ends early is an error where it is read, with and without a length, never a shorter body."""

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={} if chunked else {"Content-Length": "1000000"})
        if chunked:
            response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(b"x" * 1000)
        if request.transport is not None:
            request.transport.close()
        return response

    async with upstream(handle, policy=BreakerPolicy(failures=1)) as system:
        with pytest.raises(TransientError):
            async with system.client.stream("op", "GET", "/x") as streamed:
                _ = [chunk async for chunk in streamed.chunks]
        assert system.counted("cut") == 1
        assert system.client.breaker.state is CircuitState.OPEN


async def test_opening_a_stream_is_retried() -> None:
    """A passing fault before the body stays inside; one attempt each is counted."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if len(system.asked) == 1:
            cut(request)
        return web.Response(body=b"whole")

    async with upstream(handle) as system, system.client.stream("op", "GET", "/x") as streamed:
        assert [chunk async for chunk in streamed.chunks] == [b"whole"]
        assert len(system.asked) == 2


async def test_own_fault_inside_a_stream_stays_our_own() -> None:
    """What the reader raises (a full disk) is not taken for a fault of the upstream, and the slot is freed."""
    async with upstream(answering(web.Response(body=b"x" * MEBIBYTE)), concurrency=1) as system:
        with pytest.raises(OSError, match="disk full"):
            async with system.client.stream("op", "GET", "/x"):
                raise OSError("disk full")
        assert (await system.client.request("op", "GET", "/x")).status == 200
        assert system.counted("200") == 2


async def test_stream_does_not_ask_for_compression() -> None:
    """A compressed body could not be held against its length, so none is asked for."""
    async with upstream(answering(200)) as system:
        async with system.client.stream("op", "GET", "/x"):
            pass
        assert system.asked[0].headers["Accept-Encoding"] == "identity"


async def test_upload_of_a_large_file_in_constant_memory(tmp_path: Path) -> None:
    """48 MiB go from disk to the server, parts in order and the name unquoted, without being in memory together."""
    path = tmp_path / "large"
    with path.open("wb") as file:
        for number in range(48):
            file.write(bytes([number]) * MEBIBYTE)
    parts: list[tuple[str | None, str | None, str]] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        async for part in await request.multipart():
            assert isinstance(part, aiohttp.BodyPartReader)
            digest = hashlib.sha256()
            while chunk := await part.read_chunk(64 * 1024):
                digest.update(chunk)
            parts.append((part.name, part.filename, digest.hexdigest()))
        return web.Response()

    async with upstream(handle) as system:
        tracemalloc.start()
        try:
            with path.open("rb") as content:
                form = aiohttp.FormData(quote_fields=False)
                form.add_field("purpose", "assistants")
                form.add_field("file", content, filename="Räumungsklage Müller.pdf", content_type="application/pdf")
                await system.client.request("op", "POST", "/files", data=form, timeout=60)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert parts == [
            ("purpose", None, hashlib.sha256(b"assistants").hexdigest()),
            ("file", "Räumungsklage Müller.pdf", hashlib.sha256(path.read_bytes()).hexdigest()),
        ]
        assert int(system.asked[0].headers["Content-Length"]) > 48 * MEBIBYTE
        assert peak < 8 * MEBIBYTE
