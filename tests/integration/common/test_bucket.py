"""Buckets: revisions, life times, removal, and results that nobody heard of."""

import asyncio

import pytest
from tests.support.nats import NatsServer, cut, lost, reached

from bitbylaw.common.bus.connection import Bus
from bitbylaw.common.bus.kv import Bucket, BucketGone, Entry
from bitbylaw.common.bus.topology import BucketName
from bitbylaw.common.errors import BusUnavailable, RevisionConflict


@pytest.fixture
def bucket(bus: Bus) -> Bucket:
    """A bucket on disk."""
    return Bucket(bus, BucketName.CURSORS)


async def keys(bucket: Bucket) -> set[str]:
    """Every key."""
    return {key async for key in bucket.keys()}  # noqa: SIM118  (no mapping)


async def test_create_read_update(bucket: Bucket) -> None:
    """A key is created once, read with its revision, and updated only at that revision."""
    assert await bucket.get("a.b") is None
    first = await bucket.create("a.b", b"1")
    assert await bucket.get("a.b") == Entry(b"1", first)
    with pytest.raises(RevisionConflict):
        await bucket.create("a.b", b"2")
    second = await bucket.update("a.b", b"2", first)
    with pytest.raises(RevisionConflict):
        await bucket.update("a.b", b"3", first)
    with pytest.raises(RevisionConflict):
        await bucket.update("never", b"3", first)
    assert await bucket.get("a.b") == Entry(b"2", second)
    assert await keys(bucket) == {"a.b"}


async def test_removal_is_fenced(bucket: Bucket) -> None:
    """Only exactly the revision that one holds is removed, and the key is free at once."""
    first = await bucket.create("k", b"1")
    second = await bucket.update("k", b"2", first)
    assert not await bucket.remove(first)
    assert await bucket.get("k") == Entry(b"2", second)
    assert await bucket.remove(second)
    assert not await bucket.remove(second)
    assert await bucket.get("k") is None
    assert await keys(bucket) == set()
    assert await bucket.create("k", b"3") > second


async def test_value_with_a_life_time_goes_by_itself(bus: Bus, bucket: Bucket) -> None:
    """After its seconds the key is free at once, no marker left; a renewal begins its life again."""
    revision = await bucket.create("short", b"1", ttl=1)
    renewed = await bucket.create("long", b"1", ttl=1)
    await bucket.update("long", b"2", renewed, ttl=60)
    async with asyncio.timeout(5):
        while await bucket.get("short") is not None:
            continue
    assert await bucket.get("long") is not None
    assert await bucket.create("short", b"2") > revision


@pytest.mark.parametrize("command", ["delete", "purge"])
async def test_key_removed_by_hand_is_free(bus: Bus, bucket: Bucket, command: str) -> None:
    """`nats kv del` and `nats kv purge` leave a mark; the key has no value then and can be created again."""
    first = await bucket.create("k", b"1")
    theirs = await bus.js.key_value(BucketName.CURSORS)
    await getattr(theirs, command)("k")
    assert await bucket.get("k") is None
    with pytest.raises(RevisionConflict):
        await bucket.update("k", b"2", first)
    again = await bucket.create("k", b"2")
    assert await bucket.get("k") == Entry(b"2", again)
    with pytest.raises(RevisionConflict):
        await bucket.create("k", b"3")


async def test_values_are_read_by_other_tools(bus: Bus, bucket: Bucket) -> None:
    """What we write, `nats kv get` shows, and the other way round; any bytes survive."""
    body = bytes(range(256))
    await bucket.create("k", body)
    theirs = await bus.js.key_value(BucketName.CURSORS)
    assert (await theirs.get("k")).value == body
    revision = await theirs.put("k", "ä".encode())
    assert await bucket.get("k") == Entry("ä".encode(), revision)


async def test_one_of_many_creators_wins(bucket: Bucket) -> None:
    """Fifty create a key at once: one revision, forty-nine conflicts."""
    answers = await asyncio.gather(*(bucket.create("k", b"%d" % n) for n in range(50)), return_exceptions=True)
    assert len([answer for answer in answers if isinstance(answer, int)]) == 1
    assert len([answer for answer in answers if isinstance(answer, RevisionConflict)]) == 49


async def test_missing_bucket_says_so(bus: Bus) -> None:
    """A bucket that is not there is not the same as a key that is not there, and has no keys."""
    missing = Bucket(bus, "NOWHERE")
    with pytest.raises(BucketGone):
        await missing.get("k")
    with pytest.raises(BusUnavailable):
        await missing.create("k", b"1")
    assert await keys(missing) == set()


async def test_write_without_an_answer_is_found_by_reading(nats_server: NatsServer, bus: Bus, bucket: Bucket) -> None:
    """A write whose answer was lost may stand: a second create conflicts with it, and reading tells whose it is."""
    first = await bucket.create("k", b"1")
    nats_server.pause()
    writing = asyncio.create_task(bucket.update("k", b"2", first))
    while not bus.nc._resp_map or bus.nc.pending_data_size:  # noqa: ASYNC110  (a turn of the loop each, no wait)
        await asyncio.sleep(0)
    gone = asyncio.create_task(lost(bus))
    await asyncio.sleep(0)
    cut(bus)
    with pytest.raises(BusUnavailable):
        await writing
    await gone
    nats_server.resume()
    await reached(bus)
    async with asyncio.timeout(5):
        while (entry := await bucket.get("k")) == Entry(b"1", first):
            continue
    assert entry == Entry(b"2", first + 1)
    with pytest.raises(RevisionConflict):
        await bucket.update("k", b"2", first)


async def test_absent_server_is_unavailable_at_once(nats_server: NatsServer, bus: Bus, bucket: Bucket) -> None:
    """No operation waits for its time-out while there is nobody to answer."""
    gone = asyncio.create_task(lost(bus))
    nats_server.kill()
    await gone
    async with asyncio.timeout(1):
        for work in (bucket.get("k"), bucket.create("k", b"1"), bucket.remove(1), keys(bucket)):
            with pytest.raises(BusUnavailable):
                await work
