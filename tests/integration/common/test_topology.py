"""Streams and buckets: created once, corrected, made again when a restarted server forgot them."""

import asyncio
import re

import pytest
from nats.js.api import StorageType
from tests.support.nats import NatsServer, connected, lost, reached

from bitbylaw.common.bus.connection import Bus
from bitbylaw.common.bus.kv import Bucket
from bitbylaw.common.bus.topology import TOPOLOGY, BucketName, Stream, ensure_topology
from bitbylaw.common.errors import BusUnavailable, ConfigurationError


async def configs(bus: Bus) -> dict[str, object]:
    """Every stream's configuration and age, by name."""
    return {info.config.name or "": (info.config, info.created) for info in await bus.js.streams_info()}


async def test_topology_is_the_contracts(bus: Bus) -> None:
    """The Contract's streams and buckets are there, on disk but for the leases."""
    found = {info.config.name: info.config for info in await bus.js.streams_info()}
    assert set(found) == {*Stream, *(f"KV_{name}" for name in BucketName)}
    assert {name for name, config in found.items() if config.storage == StorageType.MEMORY} == {"KV_LEASES"}
    assert found["EVENTS"].max_msgs_per_subject == 1
    assert found["INBOX"].max_msgs_per_subject == -1


async def test_ensuring_twice_and_at_once_changes_nothing(nats_server: NatsServer) -> None:
    """Services that start together, and again later, find the same streams."""
    async with connected(nats_server) as one, connected(nats_server) as two, connected(nats_server) as three:
        await asyncio.gather(*(ensure_topology(bus, 1) for bus in (one, two, three)))
        first = await configs(one)
        assert len(first) == len(TOPOLOGY)
        updated = await one.nc.subscribe("$JS.EVENT.ADVISORY.STREAM.UPDATED.*")
        await one.nc.flush()
        await ensure_topology(two, 1)
        assert await configs(one) == first
        await one.nc.flush()
        assert updated.pending_msgs == 0


async def test_a_stream_that_differs_is_corrected_and_keeps_its_messages(bus: Bus) -> None:
    """An older version's stream gets today's subjects and limits; what it holds stays."""
    present = (await bus.js.stream_info(Stream.EVENTS)).config
    await bus.js.publish("vmh.document.update.0", b"{}")
    await bus.js.update_stream(present.evolve(subjects=["vmh.*.*.*"], max_msgs_per_subject=5))
    await ensure_topology(bus, 1)
    info = await bus.js.stream_info(Stream.EVENTS)
    assert info.config.subjects == present.subjects
    assert info.config.max_msgs_per_subject == 1
    assert info.state.messages == 1


async def test_a_stream_that_cannot_be_made_to_fit_is_a_fault(nats_server: NatsServer) -> None:
    """Somebody else's stream on our subjects is a fault of the configuration, named."""
    async with connected(nats_server) as bus:
        await bus.js.add_stream(name="THEIRS", subjects=["vmh.>"])
        with pytest.raises(ConfigurationError, match=r"stream INBOX: .*overlap"):
            await ensure_topology(bus, 1)


async def test_an_old_server_is_a_fault(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server without schedules is refused at start, with its version."""
    monkeypatch.setattr(bus.nc._current_server, "server_version", "2.9.10")
    with pytest.raises(ConfigurationError, match=re.escape("2.12 or newer is needed")):
        await ensure_topology(bus, 1)


async def test_an_absent_server_is_unavailable(nats_server: NatsServer, bus: Bus) -> None:
    """Losing the server in the middle is the bus's fault, not the configuration's."""
    gone = asyncio.create_task(lost(bus))
    nats_server.kill()
    await gone
    with pytest.raises(BusUnavailable):
        await ensure_topology(bus, 1)


async def test_restarted_server_gets_its_memory_bucket_back(nats_server: NatsServer, bus: Bus) -> None:
    """A single server forgets memory streams altogether; leases can be taken again soon after, without a new start."""
    leases, cursors = Bucket(bus, BucketName.LEASES), Bucket(bus, BucketName.CURSORS)
    await leases.create("a", b"1")
    kept = await cursors.create("a", b"1")
    gone = asyncio.create_task(lost(bus))
    nats_server.restart()
    await gone
    await reached(bus)
    async with asyncio.timeout(5):
        while not any(info.config.name == "KV_LEASES" for info in await bus.js.streams_info()):
            continue
    assert await leases.get("a") is None
    await leases.create("a", b"2", ttl=10)
    entry = await cursors.get("a")
    assert entry is not None
    assert entry.revision == kept
