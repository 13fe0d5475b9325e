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
from nats.errors import ConnectionClosedError, ConnectionReconnectingError, OutboundBufferLimitError

from bitbylaw.common.bus import wire
from bitbylaw.common.bus.connection import Bus
from bitbylaw.common.bus.topology import RETRY_PREFIX
from bitbylaw.common.errors import BusUnavailable
from bitbylaw.common.events import Event

#: Messages in one atomic batch; the server takes 1000.
MAX_BATCH = 500
#: From this many messages on a batch is faster than sending each by itself: preparing a batch costs the server about
#: 4 ms (it makes a store of its own for it on the disk), a message by itself 0.3 ms.
BATCH_FROM = 16
#: Commits on their way at once: one is written while the next is sent. More only make smaller batches, since the server
#: does them one after the other.
MAX_IN_FLIGHT = 2
#: The longest a delayed message waits, whatever an upstream names (seconds).
MAX_DELAY = 30 * 86400.0
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
        self._ended = False

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
            self._ended = True
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
        if self._ended:
            raise BusUnavailable("not acknowledged: the service stops")
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
            if sum(len(group.messages) for group in groups) < BATCH_FROM:
                await asyncio.gather(*(self._alone(group) for group in groups))
            else:
                await self._together(groups)
        except (TimeoutError, ConnectionClosedError, ConnectionReconnectingError, OutboundBufferLimitError) as error:
            self._refuse(groups, type(error).__name__)
        except Exception:  # noqa: BLE001  (whatever it was, a caller must not wait for ever)
            await asyncio.gather(*(self._alone(group) for group in groups))
        finally:
            self._slots.release()

    async def _together(self, groups: list[_Group]) -> None:
        messages = [message for group in groups for message in group.messages]
        for start in range(0, len(messages), MAX_BATCH):
            part = messages[start : start + MAX_BATCH]
            await (self._single(part[0]) if len(part) == 1 else self._batch(part))
        for group in groups:
            if not group.done.done():
                group.done.set_result(None)

    async def _alone(self, group: _Group) -> None:
        """One group message by message: of few that came, or of a refused batch.

        One bad message makes the server refuse the whole batch (too large, no such subject), and so does one that is
        stored already (a known `Nats-Msg-Id`), which alone is a success: each caller gets what its own messages merit.
        """
        try:
            for message in group.messages:
                await self._single(message)
        except Exception as error:  # noqa: BLE001  (same as in _commit)
            self._refuse([group], str(error) or type(error).__name__)
        else:
            if not group.done.done():
                group.done.set_result(None)

    async def _single(self, message: Outgoing) -> None:
        await self._request(message, message.headers)

    async def _batch(self, messages: list[Outgoing]) -> None:
        """ADR-50: all but the last are sent without waiting; nothing is visible until the last one commits."""
        batch = uuid4().hex
        limit = self._bus.nc.max_payload
        before = [
            wire.message(
                message.subject,
                message.body,
                {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(sequence), **message.headers},
                limit=limit,
            )
            for sequence, message in enumerate(messages[:-1], 1)
        ]
        last = {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(len(messages)), "Nats-Batch-Commit": "1"}
        await self._request(messages[-1], {**last, **messages[-1].headers}, before)

    async def _request(self, message: Outgoing, headers: Mapping[str, str], before: Sequence[bytes] = ()) -> None:
        answer = await wire.request(
            self._bus.nc, message.subject, message.body, headers, timeout=self._timeout, before=before
        )
        error = _ack_decoder.decode(answer.data).error
        if error is not None:
            raise BusUnavailable(f"JetStream refused: {error.description} ({error.err_code})")

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
    # `not (delay > 0)` is also what a delay that is no number comes to.
    due = (now + timedelta(seconds=min(delay, MAX_DELAY) if delay > 0 else 0)).astimezone(UTC)
    schedule = {
        "Nats-Schedule": f"@at {due.isoformat(timespec='milliseconds').replace('+00:00', 'Z')}",
        "Nats-Schedule-Target": event.subject,
    }
    return Outgoing(f"{RETRY_PREFIX}{event.subject}", event.payload(), event.headers() | schedule)
