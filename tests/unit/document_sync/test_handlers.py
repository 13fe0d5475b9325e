"""What failures mean while a system is away."""

from datetime import UTC, datetime

import pytest

from bitbylaw.common.actors.lease import Lease
from bitbylaw.common.actors.run import Run
from bitbylaw.common.errors import TransientError, UpstreamDown
from bitbylaw.common.events import Action, EntityRef, Event, Kind
from bitbylaw.common.http.breaker import Breaker
from bitbylaw.common.telemetry.metrics import Metrics, Outcome
from bitbylaw.common.telemetry.trace import TraceParent
from bitbylaw.document_sync.handlers import Handlers

DOCUMENT = EntityRef("CDokumente", "6b04cd43a189d3089")


class Failing:
    """Work that finds its upstream away."""

    async def handle(self, run: Run) -> Outcome:
        """Fail."""
        del run
        raise TransientError("the connection was cut")

    async def give_up(self, run: Run, error: BaseException) -> None:
        """Nothing."""


def a_run() -> Run:
    event = Event(Kind.DOCUMENT, Action.UPDATE, DOCUMENT.id, "test", datetime.now(UTC), TraceParent.new())
    lease = Lease(DOCUMENT, DOCUMENT.key, b"", ttl=10, revision=1, sent_at=0, clock=lambda: 0.0)
    return Run(DOCUMENT, (event,), lease)


async def test_a_failure_counts_while_the_system_is_there() -> None:
    """A single failed call is the event's own, and is counted."""
    handlers = Handlers({DOCUMENT.type: Failing()}, (Breaker("xai", Metrics()),))
    with pytest.raises(TransientError):
        await handlers.handle(a_run())


async def test_a_failure_that_left_the_breaker_open_is_the_systems() -> None:
    """With the breaker open, by this failure or as a failed probe, the system is away and no attempt is used up."""
    breaker = Breaker("xai", Metrics())
    for _ in range(5):
        breaker.record_failure(await breaker.admit())
    handlers = Handlers({DOCUMENT.type: Failing()}, (Breaker("espocrm", Metrics()), breaker))
    with pytest.raises(UpstreamDown) as caught:
        await handlers.handle(a_run())
    assert caught.value.system == "xai"
