"""The mailbox, against a model that remembers when each item came and which run settled it."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from bitbylaw.common.actors.mailbox import Mailbox, MailboxState


class MailboxMachine(RuleBasedStateMachine):
    """Every step of a mailbox's life in any order; a counter stands for time."""

    def __init__(self) -> None:
        super().__init__()
        self.box: Mailbox[int] = Mailbox()
        self.time = 0
        self.delivered_at: dict[int, int] = {}
        self.settled: list[int] = []
        self.handed_back: list[int] = []
        self.covered: tuple[int, ...] | None = None
        self.started_at = 0

    def _tick(self) -> int:
        self.time += 1
        return self.time

    @rule(count=st.integers(1, 10))
    def deliver(self, count: int) -> None:
        """Events come, whatever the mailbox is doing."""
        for _ in range(count):
            item = len(self.delivered_at)
            self.delivered_at[item] = self._tick()
            self.box.deliver(item)

    @precondition(lambda self: self.box.state is MailboxState.WAITING)
    @rule()
    def start(self) -> None:
        """A run begins over everything that waits, in order of arrival."""
        waiting = self.box.waiting
        self.covered = self.box.start()
        self.started_at = self._tick()
        assert self.covered == waiting
        assert self.covered
        assert self.box.waiting == ()

    @precondition(lambda self: self.covered is not None)
    @rule()
    def finish(self) -> None:
        """The run ends: it settles exactly what came before it began."""
        settled = self.box.finish()
        assert settled == self.covered
        assert all(self.delivered_at[item] < self.started_at for item in settled)
        self.settled.extend(settled)
        self.covered = None

    @precondition(lambda self: self.covered is not None)
    @rule()
    def restore(self) -> None:
        """The run ends without having settled anything; its items wait again, first."""
        before = self.box.held
        self.box.restore()
        assert self.box.waiting == before
        self.covered = None

    @rule()
    def give_back(self) -> None:
        """What waits goes to another worker; what runs stays."""
        waiting = self.box.waiting
        given = self.box.give_back()
        assert given == waiting
        assert self.box.held == (self.covered or ())
        self.handed_back.extend(given)

    @precondition(lambda self: self.covered is not None)
    @rule()
    def second_run(self) -> None:
        """There is never a second run beside the first."""
        with pytest.raises(RuntimeError, match="a run is on"):
            self.box.start()

    @precondition(lambda self: self.covered is None)
    @rule()
    def end_without_run(self) -> None:
        """No run can end that is not on."""
        held = self.box.held
        for end in (self.box.finish, self.box.restore):
            with pytest.raises(RuntimeError, match="no run is on"):
                end()
        assert self.box.held == held

    @precondition(lambda self: self.box.is_empty())
    @rule()
    def start_empty(self) -> None:
        """An empty mailbox begins no run."""
        with pytest.raises(RuntimeError, match="nothing waits"):
            self.box.start()

    @invariant()
    def each_item_is_in_one_place(self) -> None:
        """Nothing is lost, nothing is settled twice."""
        everywhere = [*self.settled, *self.handed_back, *self.box.held]
        assert sorted(everywhere) == sorted(self.delivered_at)

    @invariant()
    def state_fits(self) -> None:
        """The state's name says what is inside."""
        assert self.box.is_empty() == (self.box.state is MailboxState.EMPTY) == (self.box.held == ())
        assert (self.box.state is MailboxState.RUNNING) == (self.covered is not None)


def test_mailbox_keeps_its_promises_in_every_order_of_events() -> None:
    """One run at a time, each item settled once by a run that began after it came, nothing lost."""
    run_state_machine_as_test(
        MailboxMachine, settings=settings(max_examples=150, stateful_step_count=40, deadline=None)
    )


def test_ten_events_during_a_run_make_one_more_run() -> None:
    """Whatever comes while a run is on is covered by a single run behind it."""
    box: Mailbox[int] = Mailbox()
    box.deliver(0)
    box.start()
    for item in range(1, 11):
        box.deliver(item)
    assert box.finish() == (0,)
    assert box.start() == tuple(range(1, 11))
    box.finish()
    assert box.is_empty()
