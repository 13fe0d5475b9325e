"""Publishing with group commit: what many callers publish at once becomes one atomic batch, one wait for the disk.

Under `sync_interval: always` a single acknowledged publish costs a few fsyncs; a batch costs the same whatever its size
(reference nats.md). So while one batch is on its way the next one gathers. A caller gets its answer when its messages
are on disk, never earlier.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import msgspec
from nats.errors import Error as NatsError

from bitbylaw.common.bus.connection import Bus
from bitbylaw.common.bus.topology import RETRY_PREFIX
from bitbylaw.common.errors import BusUnavailable
from bitbylaw.common.events import Event

#: Messages in one atomic batch; the server takes 1000.
MAX_BATCH = 500
#: Batches on their way at once: one is written while the next is sent.
MAX_IN_FLIGHT = 2
#: Seconds a publish may take before its caller is told that the bus is unavailable.
PUBLISH_TIMEOUT = 5.0


class Outgoing(msgspec.Struct, frozen=True):
    """One message to store: subject, body, headers."""

    subject: str
    body: bytes
    headers: Mapping[str, str]


class _Ack(msgspec.Struct, frozen=True):
    """JetStream's answer to a publish, as far as we need it."""

    error: "_AckError | None" = None


class _AckError(msgspec.Struct, frozen=True):
    code: int = 0
    err_code: int = 0
    description: str = ""


class _Group(msgspec.Struct, frozen=True):
    messages: Sequence[Outgoing]
    done: "asyncio.Future[None]"


_ack_decoder = msgspec.json.Decoder(_Ack)


class Publisher:
    """Stores messages in one stream. Run `run()` as a task for as long as `publish` is used."""

    def __init__(self, bus: Bus, *, timeout: float = PUBLISH_TIMEOUT) -> None:
        self._bus = bus
        self._timeout = timeout
        self._waiting: list[_Group] = []
        self._work = asyncio.Event()
        self._slots = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._commits: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Commit what gathers, until cancelled; callers still waiting are then told."""
        try:
            while True:
                await self._work.wait()
                await self._slots.acquire()
                groups = self._take()
                if not groups:
                    self._slots.release()
                    continue
                task = asyncio.create_task(self._commit(groups))
                self._commits.add(task)
                task.add_done_callback(self._commits.discard)
        finally:
            self._refuse(self._waiting, "the service stops")
            await asyncio.gather(*self._commits, return_exceptions=True)

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Return when all of `messages` are stored.

        Raises:
            BusUnavailable: they may or may not be; publish them again.
        """
        if not messages:
            return
        await self._bus.wait_connected(self._timeout)
        group = _Group(messages, asyncio.get_running_loop().create_future())
        self._waiting.append(group)
        self._work.set()
        await group.done

    async def publish_event(self, event: Event) -> None:
        """Store one event on its keyed subject.

        Raises:
            BusUnavailable: see `publish`.
        """
        await self.publish([event_message(event)])

    def _take(self) -> list[_Group]:
        size, count = 0, 0
        for group in self._waiting:
            if count and size + len(group.messages) > MAX_BATCH:
                break
            size += len(group.messages)
            count += 1
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        if not self._waiting:
            self._work.clear()
        return taken

    async def _commit(self, groups: list[_Group]) -> None:
        try:
            await self._store([message for group in groups for message in group.messages])
        except (BusUnavailable, NatsError, OSError, TimeoutError) as error:
            self._refuse(groups, str(error) or type(error).__name__)
        else:
            for group in groups:
                if not group.done.done():
                    group.done.set_result(None)
        finally:
            self._slots.release()

    async def _store(self, messages: list[Outgoing]) -> None:
        for start in range(0, len(messages), MAX_BATCH):
            part = messages[start : start + MAX_BATCH]
            answer = await (self._single(part[0]) if len(part) == 1 else self._batch(part))
            error = _ack_decoder.decode(answer).error
            if error is not None:
                raise BusUnavailable(f"JetStream refused: {error.description} ({error.err_code})")

    async def _single(self, message: Outgoing) -> bytes:
        return await self._request(message, dict(message.headers))

    async def _batch(self, messages: list[Outgoing]) -> bytes:
        """ADR-50: all but the last are sent without waiting; nothing is visible until the last one commits."""
        batch = uuid4().hex
        for sequence, message in enumerate(messages[:-1], 1):
            headers = {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(sequence), **message.headers}
            await self._bus.nc.publish(message.subject, message.body, headers=headers)
        return await self._request(
            messages[-1],
            {
                "Nats-Batch-Id": batch,
                "Nats-Batch-Sequence": str(len(messages)),
                "Nats-Batch-Commit": "1",
                **messages[-1].headers,
            },
        )

    async def _request(self, message: Outgoing, headers: dict[str, str]) -> bytes:
        answer = await self._bus.nc.request(message.subject, message.body, timeout=self._timeout, headers=headers)
        data: bytes = answer.data
        return data

    @staticmethod
    def _refuse(groups: Sequence[_Group], reason: str) -> None:
        for group in groups:
            if not group.done.done():
                group.done.set_exception(BusUnavailable(f"not acknowledged: {reason}"))


def event_message(event: Event) -> Outgoing:
    """`event` as a message on its keyed subject."""
    return Outgoing(event.subject, event.payload(), event.headers())


def delayed_message(event: Event, delay: float, now: datetime) -> Outgoing:
    """`event` as a message that appears on its keyed subject after `delay` seconds.

    One schedule waits per subject: a newer one replaces it, which is what a retry wants.
    """
    due = (now + timedelta(seconds=max(delay, 0))).astimezone(UTC)
    schedule = {
        "Nats-Schedule": f"@at {due.isoformat(timespec='milliseconds').replace('+00:00', 'Z')}",
        "Nats-Schedule-Target": event.subject,
    }
    return Outgoing(f"{RETRY_PREFIX}{event.subject}", event.payload(), event.headers() | schedule)
