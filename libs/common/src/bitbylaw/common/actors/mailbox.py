"""The mailbox of one entity: a pure state machine that keeps its runs one after the other.

    EMPTY ──deliver──▶ WAITING ──start──▶ RUNNING ──finish──▶ EMPTY, or WAITING when something came meanwhile

Whatever number of events comes while a run is on, one more run behind it covers them all, because a run looks at the
entity's present state and not at the events. An event is settled by the first run that *began after* the event came.
"""

from collections.abc import Hashable
from enum import StrEnum
from typing import Generic, TypeVar

_Item = TypeVar("_Item", bound=Hashable)


class MailboxState(StrEnum):
    """Where an entity's mailbox stands."""

    EMPTY = "empty"
    WAITING = "waiting"
    RUNNING = "running"


class Mailbox(Generic[_Item]):
    """Items wait, are taken together by a run, and are given back by it: settled, or to wait again."""

    __slots__ = ("_running", "_waiting")

    def __init__(self) -> None:
        self._waiting: list[_Item] = []
        self._running: tuple[_Item, ...] | None = None

    @property
    def state(self) -> MailboxState:
        """Where the mailbox stands."""
        if self._running is not None:
            return MailboxState.RUNNING
        return MailboxState.WAITING if self._waiting else MailboxState.EMPTY

    def is_empty(self) -> bool:
        """Whether nothing waits and nothing runs."""
        return self._running is None and not self._waiting

    @property
    def waiting(self) -> tuple[_Item, ...]:
        """What the next run will cover."""
        return tuple(self._waiting)

    @property
    def held(self) -> tuple[_Item, ...]:
        """Everything that is not settled yet, the run's items first."""
        return (self._running or ()) + tuple(self._waiting)

    def deliver(self, item: _Item) -> None:
        """Put `item` in; it will be covered by a run that has not begun yet."""
        self._waiting.append(item)

    def start(self) -> tuple[_Item, ...]:
        """Begin a run over all that waits; the items it covers.

        Raises:
            RuntimeError: a run is on, or nothing waits.
        """
        if self._running is not None:
            raise RuntimeError("a run is on already")
        if not self._waiting:
            raise RuntimeError("nothing waits")
        self._running, self._waiting = tuple(self._waiting), []
        return self._running

    def finish(self) -> tuple[_Item, ...]:
        """End the run; the items it settled.

        Raises:
            RuntimeError: no run is on.
        """
        if self._running is None:
            raise RuntimeError("no run is on")
        settled, self._running = self._running, None
        return settled

    def restore(self) -> None:
        """End the run without settling anything: its items wait again, before those that came meanwhile.

        Raises:
            RuntimeError: no run is on.
        """
        self._waiting = [*self.finish(), *self._waiting]

    def give_back(self) -> tuple[_Item, ...]:
        """Take out what waits without a run, to hand it to another worker."""
        waiting, self._waiting = tuple(self._waiting), []
        return waiting
