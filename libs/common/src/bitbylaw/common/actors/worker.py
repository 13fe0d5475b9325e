"""The worker: takes deliveries into mailboxes and runs one actor per entity, many entities side by side.

A mailbox is served by one task from its first event until it is empty: get the lease, run, settle what the run covered,
run again if something came meanwhile, give the lease up. Nothing is acknowledged before the run that covers it has
ended, so a worker can be killed anywhere: its messages come to another one, its lease runs out.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime

from structlog.contextvars import bound_contextvars

from bitbylaw.common.actors.intake import Intake
from bitbylaw.common.actors.lease import Lease, LeaseState
from bitbylaw.common.actors.leases import LOOK_AGAIN, Leases
from bitbylaw.common.actors.mailbox import Mailbox, MailboxState
from bitbylaw.common.actors.run import Handler, Run
from bitbylaw.common.actors.settlement import Held, Settlement
from bitbylaw.common.bus.connection import Bus
from bitbylaw.common.bus.consumer import ConsumerSpec, Delivery, PullConsumer, ensure_consumer
from bitbylaw.common.errors import BusUnavailable, EventInvalid, LeaseLost
from bitbylaw.common.events import EntityRef, parse_event
from bitbylaw.common.http.client import write_guard
from bitbylaw.common.telemetry.logging import get_logger
from bitbylaw.common.telemetry.metrics import Metrics, Outcome
from bitbylaw.common.telemetry.trace import current_trace

#: Messages in hand, waiting or running: at the slowest pace (or four for each slot, if that is more), at the fastest.
LEAST_HELD, MAX_HELD = 64, 2048
#: Reports of progress on everything in hand for each `ack_wait` of the consumer.
PROGRESS_REPORTS = 3

log = get_logger("worker")


class Worker:
    """Runs `handler` for the events of one durable consumer, at most `concurrency` entities at once."""

    def __init__(
        self,
        bus: Bus,
        spec: ConsumerSpec,
        handler: Handler,
        *,
        leases: Leases,
        settlement: Settlement,
        metrics: Metrics,
        service: str,
        concurrency: int = 32,
        max_held: int = MAX_HELD,
        max_run_seconds: float = 1800,
        gate: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._bus = bus
        self._spec = spec
        self._handler = handler
        self._leases = leases
        self._settlement = settlement
        self._metrics = metrics
        self._service = service
        self._handler_seconds = metrics.handler_seconds.labels(service)
        self._slots = asyncio.Semaphore(concurrency)
        self._intake = Intake(least=max(LEAST_HELD, 4 * concurrency), most=max_held)
        self._max_run_seconds = max_run_seconds
        self._progress_every = spec.ack_wait / PROGRESS_REPORTS
        self._mailboxes: dict[EntityRef, Mailbox[Held]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._held = 0
        self._draining = False
        self.consumer = PullConsumer(bus, spec, deliver=self._deliver, room=self._room, gate=gate)

    @property
    def running(self) -> tuple[EntityRef, ...]:
        """The entities whose actors run just now."""
        return tuple(ref for ref, box in self._mailboxes.items() if box.state is MailboxState.RUNNING)

    async def run(self) -> None:
        """Work until `drain` or cancellation."""
        await ensure_consumer(self._bus, self._spec)
        ticker = asyncio.create_task(self._report_progress())
        try:
            await self.consumer.run()
            while self._tasks:  # a drain lets runs end: until then their messages are still ours
                await asyncio.wait(self._tasks)
        finally:
            ticker.cancel()

    async def drain(self, grace: float) -> bool:
        """Take nothing more, hand back what has not begun, let runs end; whether all did within `grace` seconds."""
        self._draining = True
        self.consumer.stop()
        for mailbox in list(self._mailboxes.values()):
            await self._give_back(mailbox)
        try:
            async with asyncio.timeout(grace):
                while self._tasks:
                    await asyncio.wait(self._tasks)
        except TimeoutError:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            return False
        return True

    async def _give_back(self, mailbox: Mailbox[Held]) -> None:
        for held in mailbox.give_back():
            await self._hand_back(held)

    # --- intake ------------------------------------------------------------------------------------------------------

    def _room(self) -> int:
        return 0 if self._draining else self._intake.limit - self._held

    def _deliver(self, delivery: Delivery) -> None:
        self._held += 1
        try:
            event = parse_event(delivery.subject, delivery.body, delivery.headers, source="bus", now=delivery.stored)
        except EventInvalid as error:
            self._spawn(self._reject(delivery, error))
            return
        held = Held(delivery, event, asyncio.get_running_loop().time())
        if self._draining:
            self._spawn(self._hand_back(held))
            return
        mailbox = self._mailboxes.get(event.entity)
        if mailbox is not None:
            mailbox.deliver(held)
            return
        mailbox = self._mailboxes[event.entity] = Mailbox()
        mailbox.deliver(held)
        self._spawn(self._serve(event.entity, mailbox))

    async def _reject(self, delivery: Delivery, error: EventInvalid) -> None:
        await self._settlement.reject(delivery, error)
        self._drop(1)

    async def _hand_back(self, held: Held) -> None:
        await held.delivery.nak()
        self._drop(1)

    def _drop(self, count: int) -> None:
        self._held -= count
        self._intake.settled(count, asyncio.get_running_loop().time())
        self.consumer.settled()

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("actor_crashed", error=repr(error), exc_info=error)

    async def _report_progress(self) -> None:
        """Keep what is in hand from being delivered to another worker while it waits or runs here."""
        while True:
            await asyncio.sleep(self._progress_every)
            oldest_fresh = asyncio.get_running_loop().time() - self._progress_every / 2
            for mailbox in list(self._mailboxes.values()):
                for held in mailbox.held:
                    if held.since < oldest_fresh:
                        await held.delivery.progress()

    # --- one entity's actor ------------------------------------------------------------------------------------------

    async def _serve(self, entity: EntityRef, mailbox: Mailbox[Held]) -> None:
        """The actor of `entity`, from its first event until its mailbox is empty."""
        try:
            while not mailbox.is_empty():
                async with self._slots:
                    done = await self._serve_under_lease(entity, mailbox)
                if not done and self._draining:
                    await self._give_back(mailbox)
                elif not done:
                    # Waiting for somebody else's lease takes no slot and no attempt.
                    await self._leases.wait_released(entity, LOOK_AGAIN)
        finally:
            del self._mailboxes[entity]
            if mailbox.held:  # cancelled or crashed: the messages come again by themselves
                self._drop(len(mailbox.held))

    async def _serve_under_lease(self, entity: EntityRef, mailbox: Mailbox[Held]) -> bool:
        """Run until the mailbox is empty; False if the lease is busy or was lost, or the bus is away."""
        if mailbox.is_empty():  # handed back by a drain while waiting for the slot
            return True
        try:
            lease = await self._leases.try_acquire(entity)
        except BusUnavailable:
            return False
        if lease is None:
            return False
        try:
            while not mailbox.is_empty():
                # Between two runs the lease may have been lost: the next one must not begin beside another holder's.
                if lease.state is not LeaseState.HELD or not await self._run_once(entity, mailbox, lease):
                    return False
        finally:
            await self._leases.release(lease)
        return True

    async def _run_once(self, entity: EntityRef, mailbox: Mailbox[Held], lease: Lease) -> bool:
        """One run and its settlement; False if everything it covered waits again."""
        covered = mailbox.start()
        run = Run(entity, tuple(held.event for held in covered), lease)
        trace = current_trace.set(run.latest.trace)
        guard = write_guard.set(lease.guard)
        try:
            with bound_contextvars(entity=entity.key, attempt=run.attempt):
                self._observe_start(covered)
                error, outcome = await self._attempt(run)
                if not await self._settlement.settle(self._handler, run, covered, error, outcome):
                    mailbox.restore()
                    return False
        finally:
            write_guard.reset(guard)
            current_trace.reset(trace)
        mailbox.finish()
        self._drop(len(covered))
        return True

    async def _attempt(self, run: Run) -> tuple[BaseException | None, Outcome]:
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with asyncio.timeout(self._max_run_seconds):
                outcome = await self._handler.handle(run)
        except Exception as error:  # noqa: BLE001  (the verdict over every kind of error is the settlement's)
            if isinstance(error, LeaseLost):
                self._metrics.leases_lost.labels(self._service).inc()
            return error, Outcome.RETRIED
        finally:
            self._handler_seconds.observe(loop.time() - started)
        return None, outcome

    def _observe_start(self, covered: tuple[Held, ...]) -> None:
        now, loop_now = datetime.now(UTC), asyncio.get_running_loop().time()
        for held in covered:
            self._metrics.event_age_seconds.observe(max((now - held.event.time).total_seconds(), 0))
        self._metrics.lease_wait_seconds.observe(loop_now - covered[0].since)
        if len(covered) > 1:
            self._metrics.events_coalesced.inc(len(covered) - 1)
