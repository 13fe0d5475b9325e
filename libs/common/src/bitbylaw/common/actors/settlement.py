"""What becomes of the messages a run covered: acknowledged, scheduled again, or dead letters.

The order is what makes it safe: first the retry or the dead letter is on disk, then the messages are acknowledged.
"""

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from bitbylaw.common.actors.run import Handler, Run
from bitbylaw.common.actors.verdict import Dead, Keep, Later, RetryPolicy, judge
from bitbylaw.common.bus.consumer import Delivery
from bitbylaw.common.bus.dead_letters import dead_letter, dead_letter_message
from bitbylaw.common.bus.publisher import Publisher, delayed_message
from bitbylaw.common.errors import BitByLawError, BusUnavailable, EventInvalid, NotYet
from bitbylaw.common.events import Action, Event
from bitbylaw.common.telemetry.logging import get_logger
from bitbylaw.common.telemetry.metrics import Metrics, Outcome

log = get_logger("settlement")


class Held(msgspec.Struct, frozen=True, eq=False):
    """A delivery in hand with the event it carries, since loop time `since`."""

    delivery: Delivery
    event: Event
    since: float


class Settlement:
    """Settles runs of one service."""

    def __init__(
        self,
        *,
        events: Publisher,
        dead_letters: Publisher,
        metrics: Metrics,
        service: str,
        policy: RetryPolicy,
        jitter: Callable[[], float],
    ) -> None:
        self._events = events
        self._dead_letters = dead_letters
        self._metrics = metrics
        self._service = service
        self._policy = policy
        self._jitter = jitter

    async def settle(
        self, handler: Handler, run: Run, covered: tuple[Held, ...], error: BaseException | None, outcome: Outcome
    ) -> bool:
        """Settle `covered`; False if the messages must stay in their mailbox and be run again."""
        try:
            settled = outcome if error is None else await self._after(handler, run, error)
        except BusUnavailable as unavailable:
            log.warning("settlement_postponed", error=str(unavailable))
            return False
        if settled is None:
            return False
        first, *others = (held.delivery for held in covered)
        await first.ack(*others)
        self._metrics.events_handled.labels(self._service, run.latest.typed_subject, settled).inc()
        log.info("event_handled", subject=run.latest.typed_subject, outcome=settled, covered=len(covered))
        return True

    async def reject(self, delivery: Delivery, error: EventInvalid) -> None:
        """Dead-letter a message that is no event at all."""
        letter = dead_letter(
            delivery.subject, error, service=self._service, now=datetime.now(UTC), payload=delivery.body
        )
        try:
            await self._dead_letters.publish([dead_letter_message(letter, msg_id=f"reject-{delivery.sequence}")])
        except BusUnavailable as unavailable:
            log.warning("settlement_postponed", error=str(unavailable))
            return  # not acknowledged: it comes again
        await delivery.ack()
        self._metrics.events_handled.labels(self._service, "invalid", Outcome.DEAD_LETTERED).inc()
        log.error("event_rejected", subject=delivery.subject, reason=str(error))

    async def _after(self, handler: Handler, run: Run, error: BaseException) -> Outcome | None:
        verdict = judge(error, run.attempt, self._policy, self._jitter)
        match verdict:
            case Keep():
                log.info("run_stopped", error=_kind(error), reason=str(error))
                return None
            case Later():
                await self._schedule(run, error, verdict)
                return Outcome.DONE if isinstance(error, NotYet) else Outcome.RETRIED
            case Dead():
                await self._bury(handler, run, error, verdict.attempts)
                return Outcome.DEAD_LETTERED

    async def _schedule(self, run: Run, error: BaseException, verdict: Later) -> None:
        again = msgspec.structs.replace(run.latest, attempt=verdict.attempt, force=run.force)
        if isinstance(error, NotYet):
            # Whatever event led to it, an entity has one look waiting: a newer one replaces it.
            again = msgspec.structs.replace(again, action=Action.SYNC_CHECK)
        await self._events.publish([delayed_message(again, verdict.delay, datetime.now(UTC))])
        if isinstance(error, NotYet):
            log.info("look_scheduled", delay=round(verdict.delay, 2))
            return
        unexpected = error if not isinstance(error, BitByLawError) else None
        log.warning(
            "run_failed",
            error=_kind(error),
            reason=str(error),
            failures=verdict.attempt,
            retry_in=round(verdict.delay, 2),
            exc_info=unexpected,
        )

    async def _bury(self, handler: Handler, run: Run, error: BaseException, attempts: int) -> None:
        try:
            await handler.give_up(run, error)
        except Exception as unmarked:  # noqa: BLE001  (marking is a courtesy; it must not cost the dead letter)
            log.warning("entity_not_marked", error=_kind(unmarked), reason=str(unmarked))
        latest = run.latest
        letter = dead_letter(
            latest.subject,
            error,
            service=self._service,
            now=datetime.now(UTC),
            payload=latest.payload(),
            attempts=attempts,
            trace=latest.trace.header(),
        )
        await self._dead_letters.publish([dead_letter_message(letter)])
        log.error("event_dead_lettered", error=letter.error, reason=letter.reason, attempts=attempts)


def _kind(error: BaseException) -> str:
    return error.kind if isinstance(error, BitByLawError) else type(error).__name__
