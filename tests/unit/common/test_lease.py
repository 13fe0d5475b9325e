"""The lease of one holder, in virtual time, against a model of when a write may go out."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from bitbylaw.common.actors.lease import MARGIN, MARGIN_PART, Lease, LeaseState
from bitbylaw.common.errors import LeaseLost
from bitbylaw.common.events import EntityRef

ENTITY = EntityRef("CDokumente", "0123456789abcdef0")


class Clock:
    """A clock that goes when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def make(clock: Clock, *, ttl: float = 10.0, sent_at: float | None = None) -> Lease:
    """A lease just granted."""
    sent_at = clock.now if sent_at is None else sent_at
    return Lease(ENTITY, "s.k", b"{}", ttl=ttl, revision=1, sent_at=sent_at, clock=clock)


def passes(lease: Lease) -> bool:
    """Whether a write may go out."""
    try:
        lease.guard()
    except LeaseLost:
        return False
    return True


class LeaseMachine(RuleBasedStateMachine):
    """Time, answers of the bucket, and the connection, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.valid_until = 0.0
        self.suspect = False
        self.over = False
        self.passed_until = 0.0

    @initialize(ttl=st.sampled_from([1.0, 2.0, 10.0]), flight=st.floats(0, 3))
    def granted(self, ttl: float, flight: float) -> None:
        """The bucket granted the lease, `flight` seconds after it was asked."""
        self.ttl = ttl
        self.margin = min(MARGIN, ttl * MARGIN_PART)
        sent_at = self.clock.now
        self.clock.now += flight
        self.lease = make(self.clock, ttl=ttl, sent_at=sent_at)
        self.valid_until = sent_at + ttl
        self.revision = 1

    def _expire(self) -> None:
        self.over = self.over or self.clock.now >= self.valid_until

    @rule(seconds=st.one_of(st.floats(0, 4), st.just(30.0)))
    def time_passes(self, seconds: float) -> None:
        """A moment, or the length of a stopped process."""
        self.clock.now += seconds

    @rule(flight=st.floats(0, 6))
    def renewal(self, flight: float) -> None:
        """A renewal comes back accepted, `flight` seconds after it was sent: its life counts from the sending."""
        self._expire()
        sent_at = self.clock.now
        self.clock.now += flight
        self._expire()
        self.lease.renewed(self.revision + 1, sent_at)
        if not self.over:
            self.revision += 1
            self.valid_until = max(self.valid_until, sent_at + self.ttl)
            self.suspect = False

    @rule()
    def disconnect(self) -> None:
        """The bus goes away."""
        self.lease.disconnected()
        self.suspect = True

    @rule()
    def refusal(self) -> None:
        """The bucket holds something else."""
        self.lease.refused()
        self.over = True

    @rule()
    def release(self) -> None:
        """The holder gives it up."""
        self.lease.released()
        self.over = True

    @invariant()
    def guard_holds(self) -> None:
        """A write goes out exactly while the lease is held, is not in doubt, and has time left."""
        self._expire()
        allowed = not self.over and not self.suspect and self.clock.now < self.valid_until - self.margin
        assert passes(self.lease) == allowed
        assert self.lease.alive == (not self.over)

    @invariant()
    def fencing_token_is_the_last_accepted_revision(self) -> None:
        """What is lost or released keeps the revision that it had."""
        assert self.lease.revision == self.revision


def test_lease_lets_writes_through_only_while_it_surely_holds() -> None:
    """In every order of time, answers and disconnects the guard never passes a write it should not, and no other."""
    run_state_machine_as_test(LeaseMachine, settings=settings(max_examples=200, stateful_step_count=30, deadline=None))


def test_renewal_counts_from_its_sending() -> None:
    """An answer that took three seconds prolongs the lease by three seconds less."""
    clock = Clock()
    lease = make(clock)
    clock.now += 6
    lease.renewed(2, clock.now - 3)
    clock.now += 6.5  # 9.5 s after it was sent; half a second before its end
    assert lease.alive
    assert not passes(lease)
    clock.now += 0.5
    assert lease.state is LeaseState.LOST


def test_late_answer_to_an_earlier_renewal_takes_no_time_away() -> None:
    """Valid time never shrinks: an older renewal that answers late leaves a newer one's life as it is."""
    clock = Clock()
    lease = make(clock)
    clock.now += 5
    lease.renewed(3, clock.now)
    lease.renewed(3, clock.now - 4)
    clock.now += 8.5
    lease.guard()


@pytest.mark.parametrize("end", ["refused", "released", "time"])
def test_nothing_brings_a_lease_back(end: str) -> None:
    """After its loss or release a lease stays so, whatever answer still comes."""
    clock = Clock()
    lease = make(clock)
    if end == "time":
        clock.now += 10
    else:
        getattr(lease, end)()
    state = lease.state
    lease.renewed(9, clock.now)
    lease.disconnected()
    assert lease.state is state
    assert lease.revision == 1
    with pytest.raises(LeaseLost, match=ENTITY.key):
        lease.guard()


def test_lease_in_doubt_is_cleared_only_by_the_bucket() -> None:
    """After a disconnect no write goes out until a renewal was accepted."""
    clock = Clock()
    lease = make(clock)
    lease.disconnected()
    assert lease.state is LeaseState.SUSPECT
    assert not passes(lease)
    lease.renewed(2, clock.now)
    lease.guard()


@pytest.mark.parametrize("ttl", [1.0, 2.0, 10.0])
def test_even_the_shortest_lease_lets_writes_through(ttl: float) -> None:
    """LEASE_SECONDS=1 is allowed, so a fresh lease of one second is worth something."""
    make(Clock(), ttl=ttl).guard()
