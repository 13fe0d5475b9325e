"""What a handler is given and what it answers: the seam between the actor machinery and a service's own work."""

from typing import Protocol

import msgspec

from bitbylaw.common.actors.lease import Lease
from bitbylaw.common.events import Action, EntityRef, Event
from bitbylaw.common.telemetry.metrics import Outcome


class Run(msgspec.Struct, frozen=True):
    """One run of one entity's actor: the events it covers and the lease it holds."""

    entity: EntityRef
    events: tuple[Event, ...]
    lease: Lease

    @property
    def latest(self) -> Event:
        """The newest event; it stands for all of them in logs, retries and dead letters."""
        return self.events[-1]

    @property
    def attempt(self) -> int:
        """Failures before this run: the worst of its events', so that a poisonous entity ends somewhere."""
        return max(event.attempt for event in self.events)

    @property
    def force(self) -> bool:
        """Whether somebody asked for a full comparison."""
        return any(event.force for event in self.events)

    def says(self, action: Action) -> bool:
        """Whether one of the events names `action`. A hint only: what is true is read from the systems."""
        return any(event.action is action for event in self.events)


class Handler(Protocol):
    """A service's work on one entity."""

    async def handle(self, run: Run) -> Outcome:
        """Make true what should be true of the entity; safe to run again after a crash anywhere.

        Raises:
            BitByLawError: its place in the tree says what becomes of the events. Anything else counts as a fault of
                ours and is tried again.
        """
        ...

    async def give_up(self, run: Run, error: BaseException) -> None:
        """Mark the entity as failed where people see it. Called before the dead letter is stored.

        Raises:
            BitByLawError: it could not be marked; the dead letter is stored all the same.
        """
        ...
