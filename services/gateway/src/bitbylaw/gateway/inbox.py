"""The INBOX: events as people type them, validated and republished on their keyed subject."""

import asyncio
from datetime import UTC, datetime

from bitbylaw.common.bus.connection import Bus
from bitbylaw.common.bus.consumer import ConsumerSpec, Delivery, PullConsumer, ensure_consumer
from bitbylaw.common.bus.dead_letters import dead_letter, dead_letter_message
from bitbylaw.common.bus.publisher import Publisher
from bitbylaw.common.bus.topology import Stream
from bitbylaw.common.errors import BusUnavailable, EventInvalid
from bitbylaw.common.events import parse_event
from bitbylaw.common.telemetry.logging import get_logger

SERVICE = "gateway"
#: Messages in hand at once.
MAX_HELD = 256

SPEC = ConsumerSpec(stream=Stream.INBOX, durable="gateway", filters=("vmh.*.*",))

log = get_logger("inbox")


class Inbox:
    """Empties the INBOX for as long as `run()` runs."""

    def __init__(self, bus: Bus, *, events: Publisher, dead_letters: Publisher) -> None:
        self._bus = bus
        self._events = events
        self._dead_letters = dead_letters
        self._tasks: set[asyncio.Task[None]] = set()
        self.consumer = PullConsumer(bus, SPEC, deliver=self._deliver, room=self._room)

    async def run(self) -> None:
        """Take messages until `drain` or cancellation."""
        await ensure_consumer(self._bus, SPEC)
        await self.consumer.run()

    async def drain(self) -> None:
        """Take nothing more and finish what is in hand."""
        self.consumer.stop()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _room(self) -> int:
        return MAX_HELD - len(self._tasks)

    def _deliver(self, delivery: Delivery) -> None:
        task = asyncio.create_task(self._take(delivery))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.consumer.settled()

    async def _take(self, delivery: Delivery) -> None:
        """Keyed event or dead letter first, acknowledgement after: a crash in between repeats a hint, no more."""
        try:
            await self._key(delivery)
        except BusUnavailable as error:
            log.warning("inbox_postponed", reason=str(error))
            return
        await delivery.ack()

    async def _key(self, delivery: Delivery) -> None:
        now = datetime.now(UTC)
        try:
            event = parse_event(delivery.subject, delivery.body, delivery.headers, source="inbox", now=now)
        except EventInvalid as error:
            letter = dead_letter(delivery.subject, error, service=SERVICE, now=now, payload=delivery.body)
            await self._dead_letters.publish([dead_letter_message(letter, msg_id=f"inbox-{delivery.sequence}")])
            log.error("inbox_rejected", subject=delivery.subject, reason=str(error))
            return
        await self._events.publish_event(event)
        log.info("inbox_keyed", entity=event.entity.key, action=event.action, trace=event.trace.trace_id)
