"""Leases between holders, in a real bucket: exclusion, hand-over, fencing, and what a server's death does to them."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from tests.support.nats import NatsServer, connected, cut, lost, reached

from bitbylaw.common.actors.lease import Lease, LeaseState, LeaseValue
from bitbylaw.common.actors.leases import Leases
from bitbylaw.common.bus.connection import Bus
from bitbylaw.common.bus.kv import Bucket
from bitbylaw.common.bus.topology import BucketName
from bitbylaw.common.errors import LeaseLost
from bitbylaw.common.events import EntityRef

ENTITY = EntityRef("CDokumente", "0123456789abcdef0")
KEY = f"document_sync.{ENTITY.key}"


@asynccontextmanager
async def holding(bus: Bus, *, ttl: float = 10.0, alive: bool = True) -> AsyncIterator[Leases]:
    """One holder; one that is not `alive` renews nothing, as a stopped process."""
    leases = Leases(bus, Bucket(bus, BucketName.LEASES), "document_sync", ttl=ttl)
    task = asyncio.create_task(leases.run()) if alive else None
    yield leases
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_lease_stands_in_the_bucket_as_the_contract_says(bus: Bus) -> None:
    """Key `{service}.{EntityType}.{id}`, value JSON that a person can read."""
    async with holding(bus) as leases:
        lease = await leases.acquire(ENTITY)
        entry = await Bucket(bus, BucketName.LEASES).get(KEY)
        assert entry is not None
        value = msgspec.json.decode(entry.value, type=LeaseValue)
        assert value.holder
        assert value.since.endswith("+00:00")
        assert entry.revision == lease.revision
        assert list(leases.held) == [lease]
        await leases.release(lease)
        assert await Bucket(bus, BucketName.LEASES).get(KEY) is None
        assert not leases.held


async def test_one_holder_at_a_time(nats_server: NatsServer, bus: Bus) -> None:
    """Three holders take turns at one entity: never two inside at once, and each gets its turns."""
    inside, turns = 0, [0, 0, 0]

    async def take_turns(leases: Leases, number: int) -> None:
        nonlocal inside
        for _ in range(15):
            async with leases.hold(ENTITY) as lease:
                inside += 1
                assert inside == 1
                await asyncio.sleep(0)
                lease.guard()
                turns[number] += 1
                inside -= 1

    async with (
        connected(nats_server) as second,
        connected(nats_server) as third,
        holding(bus) as a,
        holding(second) as b,
        holding(third) as c,
        asyncio.timeout(20),
    ):
        await asyncio.gather(*(take_turns(leases, number) for number, leases in enumerate((a, b, c))))
    assert turns == [15, 15, 15]


async def test_release_wakes_who_waits(nats_server: NatsServer, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """A waiter gets the lease when it is released, though it would not have looked by itself for a minute."""
    monkeypatch.setattr("bitbylaw.common.actors.leases.LOOK_AGAIN", 60.0)
    async with connected(nats_server) as other, holding(bus) as one, holding(other) as two:
        lease = await one.acquire(ENTITY)
        assert await two.try_acquire(ENTITY) is None
        waiting = asyncio.create_task(two.acquire(ENTITY))
        # The waiter looks once more after it listens: when that look has been refused, it waits for the announcement.
        async with asyncio.timeout(5):
            while not [sub for sub in other.nc._subs.values() if "lease.released" in sub.subject]:  # noqa: ASYNC110
                await asyncio.sleep(0)
        await other.nc.flush()
        await two.try_acquire(ENTITY)
        await one.release(lease)
        async with asyncio.timeout(10):
            taken = await waiting
        taken.guard()
        with pytest.raises(LeaseLost):
            lease.guard()


async def test_wait_released_ends_with_the_announcement_or_the_time(nats_server: NatsServer, bus: Bus) -> None:
    """Whoever waits elsewhere hears of a release, and goes on by itself when there is none."""
    async with connected(nats_server) as other, holding(bus) as one, holding(other) as two:
        began = time.monotonic()
        await two.wait_released(ENTITY, 0.1)
        assert 0.09 <= time.monotonic() - began < 1
        lease = await one.acquire(ENTITY)
        waiting = asyncio.create_task(two.wait_released(ENTITY, 30))
        while not [sub for sub in other.nc._subs.values() if "lease.released" in sub.subject]:  # noqa: ASYNC110
            await asyncio.sleep(0)
        await other.nc.flush()
        await one.release(lease)
        async with asyncio.timeout(5):
            await waiting


async def test_vanished_holder_is_taken_over_and_fenced(nats_server: NatsServer, bus: Bus) -> None:
    """A holder that renews nothing loses its lease in time; waking up, it can touch nothing of the new holder's."""
    async with connected(nats_server) as other, holding(bus, ttl=1, alive=False) as old, holding(other, ttl=1) as new:
        stale = await old.acquire(ENTITY)
        stale.guard()
        async with asyncio.timeout(4):
            lease = await new.acquire(ENTITY)
        with pytest.raises(LeaseLost):
            stale.guard()
        # As if its clock had not gone on: the bucket refuses all the same.
        sleepy = _awake(stale)
        old._held[KEY], old._busy[KEY] = sleepy, asyncio.Lock()
        await old._each(old._renew)
        assert sleepy.state is LeaseState.LOST
        sleepy = _awake(stale)
        old._held[KEY], old._busy[KEY] = sleepy, asyncio.Lock()
        await old.release(sleepy)
        before = lease.revision
        await new._each(new._renew)
        assert lease.revision > before
        lease.guard()


def _awake(stale: Lease) -> Lease:
    """The same lease, in the eyes of a holder that has not noticed the time."""
    now = asyncio.get_running_loop().time
    return Lease(ENTITY, KEY, stale.value, ttl=1, revision=stale.revision, sent_at=now(), clock=now)


async def test_renewal_keeps_a_lease_beyond_its_first_life(nats_server: NatsServer, bus: Bus) -> None:
    """A living holder keeps its lease: when a bystander's lease of the same age has gone, ours still stands."""
    bystander = EntityRef("CDokumente", "0123456789abcdef1")
    async with holding(bus, ttl=1) as alive, holding(bus, ttl=1, alive=False) as dead:
        await dead.acquire(bystander)
        lease = await alive.acquire(ENTITY)
        first = lease.revision
        async with asyncio.timeout(4):
            await alive.acquire(bystander)
        lease.guard()
        assert lease.revision > first
        assert await dead.try_acquire(ENTITY) is None


async def test_servers_death_ends_every_lease(nats_server: NatsServer, bus: Bus) -> None:
    """From the disconnect on no write goes out; back again, the memory bucket is gone, and the lease with it."""
    async with holding(bus) as leases:
        lease = await leases.acquire(ENTITY)
        gone = asyncio.create_task(lost(bus))
        nats_server.kill()
        await gone
        with pytest.raises(LeaseLost, match="suspect"):
            lease.guard()
        nats_server.start()
        await reached(bus)
        async with asyncio.timeout(2):
            while lease.alive:  # noqa: ASYNC110  (a turn of the loop each, no wait)
                await asyncio.sleep(0)
        assert lease.state is LeaseState.LOST
        assert not leases.held
        async with asyncio.timeout(3):
            again = await _acquired(leases)
        again.guard()


async def _acquired(leases: Leases) -> Lease:
    while True:
        try:
            return await leases.acquire(ENTITY)
        except Exception:  # noqa: BLE001, S112  (the bucket is being made again)
            continue


async def test_a_broken_connection_alone_costs_no_lease(nats_server: NatsServer, bus: Bus) -> None:
    """When the server lived on, the lease is in doubt only until the bucket has confirmed it."""
    async with holding(bus) as leases:
        lease = await leases.acquire(ENTITY)
        first = lease.revision
        gone = asyncio.create_task(lost(bus))
        await asyncio.sleep(0)
        cut(bus)
        await gone
        with pytest.raises(LeaseLost):
            lease.guard()
        await reached(bus)
        async with asyncio.timeout(2):
            while lease.state is not LeaseState.HELD:  # noqa: ASYNC110  (a turn of the loop each, no wait)
                await asyncio.sleep(0)
        lease.guard()
        assert lease.revision > first


async def test_lease_removed_by_hand_is_lost_and_free(bus: Bus) -> None:
    """An operator's `nats kv del` ends a lease: its holder finds out at its next renewal, and others can take it."""
    async with holding(bus, alive=False) as one, holding(bus) as two:
        lease = await one.acquire(ENTITY)
        await (await bus.js.key_value(BucketName.LEASES)).delete(KEY)
        await one._each(one._renew)
        assert lease.state is LeaseState.LOST
        assert await two.try_acquire(ENTITY) is not None


async def test_waiting_during_an_outage_leaves_no_subscription(nats_server: NatsServer, bus: Bus) -> None:
    """Whoever waits again and again while the server is away leaves nothing behind at the server when it is back."""
    async with holding(bus, alive=False) as leases:
        before = set(bus.nc._subs)
        gone = asyncio.create_task(lost(bus))
        nats_server.kill()
        await gone
        for _ in range(20):
            await leases.wait_released(ENTITY, 0.001)
        assert not [command for command in bus.nc._pending if command.startswith(b"SUB")]
        assert set(bus.nc._subs) == before
