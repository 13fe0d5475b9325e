"""The breaker's state machine, driven at random against a model of what it promises."""

import hypothesis.strategies as st
from hypothesis import given
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bitbylaw.common.http.circuit import Admission, BreakerPolicy, Circuit, CircuitState

POLICY = BreakerPolicy(failures=3, open_seconds=5.0, max_open_seconds=60.0)


class CircuitModel(RuleBasedStateMachine):
    """Calls come, wait, succeed, fail and are cancelled in any order while time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.circuit = Circuit(POLICY)
        self.now = 1000.0
        self.calls: list[int | None] = []  # on their way; the probe's number, None for an ordinary call
        self.in_a_row = 0
        self.openings = 0
        self.closed_until_told = True
        self.earliest = 0.0  # no call before this moment while open

    @rule(seconds=st.floats(0, 90))
    def time_passes(self, seconds: float) -> None:
        """Time only grows."""
        self.now += seconds

    @rule()
    def call(self) -> None:
        """Somebody wants to call: let through only when closed, or as the only probe once the time is over."""
        admission = self.circuit.admission(self.now)
        match admission:
            case Admission.GO:
                assert self.closed_until_told
                self.calls.append(None)
            case Admission.PROBE:
                assert not self.closed_until_told
                assert self.now >= self.earliest
                assert self.circuit.probe is None
                self.circuit = self.circuit.probed()
                self.calls.append(self.circuit.probe)
            case Admission.WAIT_FOR_PROBE:
                assert self.circuit.probe in self.calls
            case Admission.REFUSED:
                assert not self.closed_until_told
                assert self.now < self.earliest

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def succeed(self, data: st.DataObject) -> None:
        """Any success closes, whoever had it."""
        self._take(data)
        self.circuit = self.circuit.succeeded()
        self.closed_until_told, self.in_a_row, self.openings = True, 0, 0
        assert self.circuit.state(self.now) is CircuitState.CLOSED

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        """The third failure in a row opens; a failed probe opens for longer; late failures change nothing."""
        probe = self._take(data)
        is_probe = probe is not None and probe == self.circuit.probe
        self.circuit = self.circuit.failed(self.now, probe)
        if self.closed_until_told:
            self.in_a_row += 1
            if self.in_a_row >= POLICY.failures:
                self._opened()
        elif is_probe:
            self._opened()

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """A cancelled call tells nothing; if it was the probe, the slot is free."""
        probe = self._take(data)
        state = self.circuit.state(self.now)
        self.circuit = self.circuit.released(probe)
        assert self.circuit.state(self.now) is state
        if probe is not None:
            assert self.circuit.probe != probe

    @invariant()
    def at_most_one_probe(self) -> None:
        """The probe that is waited for is on its way, and it is one."""
        if self.circuit.probe is not None:
            assert self.calls.count(self.circuit.probe) == 1

    @invariant()
    def state_is_as_told(self) -> None:
        """Closed exactly as the model says, open exactly until the promised moment."""
        state = self.circuit.state(self.now)
        assert (state is CircuitState.CLOSED) == self.closed_until_told
        if not self.closed_until_told:
            assert (state is CircuitState.OPEN) == (self.now < self.earliest)
            assert self.circuit.seconds_left(self.now) == max(self.earliest - self.now, 0.0)

    def _take(self, data: st.DataObject) -> int | None:
        return self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1)))

    def _opened(self) -> None:
        self.closed_until_told, self.in_a_row = False, 0
        self.earliest = self.now + min(POLICY.open_seconds * 2**self.openings, POLICY.max_open_seconds)
        self.openings += 1


TestCircuit = CircuitModel.TestCase
TestCircuit.__doc__ = "No sequence of calls makes the circuit break a promise."
TestCircuit.runTest.__doc__ = "No sequence of calls makes the circuit break a promise."


@given(st.integers(1, 2000))
def test_open_time_doubles_up_to_a_minute(rounds: int) -> None:
    """After n failed probes it stays open 5 s doubled n times, never more than 60 s, however long the outage."""
    circuit, now, seconds = Circuit(), 0.0, []
    for _ in range(BreakerPolicy().failures):
        circuit = circuit.failed(now, None)
    for _ in range(rounds):
        seconds.append(circuit.seconds_left(now))
        now += seconds[-1]
        circuit = circuit.probed()
        circuit = circuit.failed(now, circuit.probe)
    expected = [5.0, 10.0, 20.0, 40.0] + [60.0] * rounds
    assert seconds == expected[:rounds]


def test_late_failure_of_an_earlier_probe_changes_nothing() -> None:
    """A probe of an outage that is over says nothing about the next outage, whose own probe is on its way."""
    circuit = Circuit(BreakerPolicy(failures=1)).failed(0.0, None).probed()
    earlier = circuit.probe
    circuit = circuit.succeeded().failed(10.0, None).probed()
    assert circuit.failed(15.0, earlier) == circuit
    assert circuit.released(earlier) == circuit
    assert circuit.failed(15.0, circuit.probe).open_until == 25.0
