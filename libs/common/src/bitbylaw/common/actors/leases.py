"""Leases in the bucket LEASES: acquire, wait, renew, verify after a reconnect, release."""

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import msgspec
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from bitbylaw.common.actors.lease import Lease, LeaseState, LeaseValue
from bitbylaw.common.bus.connection import Bus
from bitbylaw.common.bus.kv import Bucket, BucketGone
from bitbylaw.common.errors import BusUnavailable, RevisionConflict
from bitbylaw.common.events import EntityRef
from bitbylaw.common.telemetry.logging import get_logger

#: Where a release is announced (plain NATS, nothing stored), so that whoever waits need not poll.
RELEASED_SUBJECT = "bitbylaw.lease.released."
#: Seconds after which a waiting worker looks by itself, in case no release was announced (its holder was killed).
LOOK_AGAIN = 0.5
#: A lease is renewed when this part of its life is over.
RENEW_AT = 0.3

log = get_logger("leases")


class Leases:
    """One service's leases. Run `run()` as a task for as long as leases are held."""

    def __init__(self, bus: Bus, bucket: Bucket, service: str, *, ttl: float) -> None:
        self._bus = bus
        self._bucket = bucket
        self._service = service
        self._ttl = ttl
        self._holder = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._held: dict[str, Lease] = {}
        self._busy: dict[str, asyncio.Lock] = {}
        self._verify = asyncio.Event()
        bus.on_disconnect(self._disconnected)
        bus.on_reconnect(self._verify.set)

    @property
    def held(self) -> tuple[Lease, ...]:
        """Every lease this process holds just now."""
        return tuple(self._held.values())

    async def run(self) -> None:
        """Renew what is held until cancelled; after a reconnect, first find out what is still ours."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._ttl * RENEW_AT):
                    await self._verify.wait()
            if self._verify.is_set():
                self._verify.clear()
                await self._each(self._check)
            else:
                await self._each(self._renew)

    async def try_acquire(self, entity: EntityRef) -> Lease | None:
        """The lease of `entity`, or None while somebody else holds it.

        Raises:
            BusUnavailable: the bucket does not answer.
        """
        key = f"{self._service}.{entity.key}"
        value = msgspec.json.encode(LeaseValue(self._holder, datetime.now(UTC).isoformat(timespec="milliseconds")))
        clock = asyncio.get_running_loop().time
        sent_at = clock()
        try:
            revision = await self._bucket.create(key, value, ttl=self._ttl)
        except RevisionConflict:
            return None
        lease = Lease(entity, key, value, ttl=self._ttl, revision=revision, sent_at=sent_at, clock=clock)
        self._held[key] = lease
        self._busy[key] = asyncio.Lock()
        return lease

    async def acquire(self, entity: EntityRef) -> Lease:
        """The lease of `entity`, after waiting for whoever holds it: released, or over with its holder's life.

        Raises:
            BusUnavailable: the bucket does not answer.
        """
        lease = await self.try_acquire(entity)
        if lease is not None:
            return lease
        async with self._announced(entity) as released:
            while True:
                released.clear()
                lease = await self.try_acquire(entity)
                if lease is not None:
                    return lease
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_AGAIN):
                        await released.wait()

    async def wait_released(self, entity: EntityRef, timeout: float) -> None:
        """Return when a release of `entity` is announced, or after `timeout` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout), self._announced(entity) as released:
                await released.wait()

    async def release(self, lease: Lease) -> None:
        """Give `lease` up, if it is still ours. Never raises: what cannot be released ends by itself."""
        lock = self._busy.get(lease.key)
        if lock is None or self._held.get(lease.key) is not lease:
            return
        async with lock:
            alive = lease.alive
            lease.released()
            self._forget(lease)
            if not alive:
                return
            with suppress(BusUnavailable):
                await self._bucket.remove(lease.revision)
        with suppress(NatsError, OSError):
            await self._bus.nc.publish(RELEASED_SUBJECT + lease.key)

    @asynccontextmanager
    async def hold(self, entity: EntityRef) -> AsyncIterator[Lease]:
        """The lease of `entity` for the length of a block, after waiting for it."""
        lease = await self.acquire(entity)
        try:
            yield lease
        finally:
            await self.release(lease)

    @asynccontextmanager
    async def _announced(self, entity: EntityRef) -> AsyncIterator[asyncio.Event]:
        released = asyncio.Event()
        if not self._bus.connected:  # nats-py would send the subscription later, when nobody is there to end it
            yield released
            return

        async def hear(_: Msg) -> None:
            released.set()

        try:
            subscription = await self._bus.nc.subscribe(f"{RELEASED_SUBJECT}{self._service}.{entity.key}", cb=hear)
        except (NatsError, OSError):
            yield released
            return
        try:
            yield released
        finally:
            with suppress(NatsError, OSError):
                await subscription.unsubscribe()

    async def _each(self, effect: Callable[[Lease], Awaitable[None]]) -> None:
        await asyncio.gather(*(self._exclusively(lease, effect) for lease in self.held))

    async def _exclusively(self, lease: Lease, effect: Callable[[Lease], Awaitable[None]]) -> None:
        """Renewal and release of one lease never overlap: a release must name the revision that stands."""
        lock = self._busy.get(lease.key)
        if lock is None:
            return
        async with lock:
            if self._held.get(lease.key) is lease:
                await effect(lease)

    async def _renew(self, lease: Lease) -> None:
        if lease.state is LeaseState.SUSPECT:
            await self._check(lease)
            return
        sent_at = asyncio.get_running_loop().time()
        try:
            revision = await self._bucket.update(lease.key, lease.value, lease.revision, ttl=self._ttl)
        except RevisionConflict:
            lease.refused()
        except BusUnavailable as error:
            log.warning("lease_renewal_failed", entity=lease.entity.key, error=str(error))
        else:
            lease.renewed(revision, sent_at)
        self._drop_if_lost(lease)

    async def _check(self, lease: Lease) -> None:
        """After a reconnect: the bucket lives in memory, so the lease may be gone, or be somebody else's."""
        try:
            entry = await self._bucket.get(lease.key)
        except BucketGone:
            entry = None
        except BusUnavailable:
            self._drop_if_lost(lease)
            return
        if entry is None or entry.revision != lease.revision or entry.value != lease.value:
            lease.refused()
            self._drop_if_lost(lease)
            return
        sent_at = asyncio.get_running_loop().time()
        try:
            lease.renewed(await self._bucket.update(lease.key, lease.value, lease.revision, ttl=self._ttl), sent_at)
        except RevisionConflict:
            lease.refused()
        except BusUnavailable as error:
            log.warning("lease_renewal_failed", entity=lease.entity.key, error=str(error))
        self._drop_if_lost(lease)

    def _disconnected(self) -> None:
        for lease in self._held.values():
            lease.disconnected()

    def _drop_if_lost(self, lease: Lease) -> None:
        if not lease.alive:
            log.warning("lease_lost", entity=lease.entity.key, revision=lease.revision)
            self._forget(lease)

    def _forget(self, lease: Lease) -> None:
        if self._held.get(lease.key) is lease:
            del self._held[lease.key]
            del self._busy[lease.key]
