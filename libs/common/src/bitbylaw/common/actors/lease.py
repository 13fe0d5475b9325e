"""The lease that keeps an entity to one worker among all replicas.

`Lease` is the state machine of one holder, pure and moved by time passed in:

    HELD ──renewed──▶ HELD        the time starts again when the renewal was *sent*
    HELD ──disconnected──▶ SUSPECT ──verified──▶ HELD | LOST
    HELD · SUSPECT ──time over, refused──▶ LOST
    any ──released──▶ RELEASED

Only a HELD lease with time left lets a write through (`guard`). Its revision in the bucket is the fencing token: a
renewal or a release works only on exactly that revision. A stopped process (SIGSTOP, a long pause) finds on waking that
its time is over, before it writes anything. `Leases` does the effects: acquire, renew, verify, release, wait.
"""

from collections.abc import Callable
from enum import StrEnum

import msgspec

from bitbylaw.common.errors import LeaseLost
from bitbylaw.common.events import EntityRef

#: Seconds of a lease's life that writes leave unused: what was sent must arrive while the lease still holds.
MARGIN = 1.0
#: At most this part of a short life is left unused: a lease of one second must let writes through at all.
MARGIN_PART = 0.25


class LeaseState(StrEnum):
    """What the holder knows about its lease."""

    HELD = "held"
    SUSPECT = "suspect"
    LOST = "lost"
    RELEASED = "released"


class LeaseValue(msgspec.Struct, frozen=True):
    """What stands in the bucket: who holds the lease, and since when (ISO 8601, UTC)."""

    holder: str
    since: str


class Lease:
    """One holder's view of its lease. Times are seconds of the event loop's clock."""

    __slots__ = ("_clock", "_margin", "_revision", "_state", "_ttl", "_valid_until", "entity", "key", "value")

    def __init__(
        self,
        entity: EntityRef,
        key: str,
        value: bytes,
        *,
        ttl: float,
        revision: int,
        sent_at: float,
        clock: Callable[[], float],
    ) -> None:
        self.entity = entity
        self.key = key
        self.value = value
        self._ttl = ttl
        self._margin = min(MARGIN, ttl * MARGIN_PART)
        self._clock = clock
        self._revision = revision
        self._state = LeaseState.HELD
        self._valid_until = sent_at + ttl

    @property
    def revision(self) -> int:
        """The fencing token."""
        return self._revision

    @property
    def state(self) -> LeaseState:
        """The state now: time that is over turns a held lease into a lost one."""
        if self._state in {LeaseState.HELD, LeaseState.SUSPECT} and self._clock() >= self._valid_until:
            self._state = LeaseState.LOST
        return self._state

    @property
    def alive(self) -> bool:
        """Whether renewing it makes sense."""
        return self.state in {LeaseState.HELD, LeaseState.SUSPECT}

    def guard(self) -> None:
        """Return if a write may go out now.

        Raises:
            LeaseLost: it may not; the run has to end.
        """
        state = self.state
        if state is not LeaseState.HELD:
            raise LeaseLost(f"lease of {self.entity.key} is {state}")
        if self._clock() >= self._valid_until - self._margin:
            raise LeaseLost(f"lease of {self.entity.key} is about to end")

    def renewed(self, revision: int, sent_at: float) -> None:
        """A renewal sent at `sent_at` was accepted. A lost or released lease stays so."""
        if self.alive:
            self._revision = revision
            self._valid_until = max(self._valid_until, sent_at + self._ttl)
            self._state = LeaseState.HELD

    def disconnected(self) -> None:
        """The bus is away: it may come back without our lease (it lives in memory), so nothing may be written."""
        if self.state is LeaseState.HELD:
            self._state = LeaseState.SUSPECT

    def refused(self) -> None:
        """The bucket holds another revision, another holder or nothing: the lease is not ours any more."""
        if self._state is not LeaseState.RELEASED:
            self._state = LeaseState.LOST

    def released(self) -> None:
        """The holder gave it up."""
        if self._state is not LeaseState.LOST:
            self._state = LeaseState.RELEASED
