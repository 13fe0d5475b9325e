"""The circuit breaker's state machine: pure, moved by time passed in.

    closed ──failures in a row──▶ open until t ──t is over──▶ half open ──probe──▶ closed | open for twice as long

While it is half open exactly one call, the probe, is let through. A success always closes: the system answers. Failures
of calls that were sent before it opened say nothing new and are ignored while it is open.
"""

from enum import Enum, StrEnum

import msgspec


class CircuitState(StrEnum):
    """Where the machine stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Admission(Enum):
    """What a call may do now."""

    GO = "go"
    PROBE = "probe"
    WAIT_FOR_PROBE = "wait_for_probe"
    REFUSED = "refused"


class BreakerPolicy(msgspec.Struct, frozen=True):
    """`failures` in a row open it, for `open_seconds` doubling up to `max_open_seconds` while probes keep failing."""

    failures: int = 5
    open_seconds: float = 5.0
    max_open_seconds: float = 60.0


class Circuit(msgspec.Struct, frozen=True):
    """One circuit at one moment; every change gives a new one.

    `failures` are those in a row while closed, `openings` how often it opened without having closed since, `open_until`
    is None while closed, `probe` the number of the probe on its way, `probes` the number of probes so far.
    """

    policy: BreakerPolicy = BreakerPolicy()
    failures: int = 0
    openings: int = 0
    open_until: float | None = None
    probe: int | None = None
    probes: int = 0

    def state(self, now: float) -> CircuitState:
        """The state at `now`: an open circuit becomes half open by time alone."""
        if self.open_until is None:
            return CircuitState.CLOSED
        return CircuitState.OPEN if now < self.open_until else CircuitState.HALF_OPEN

    def admission(self, now: float) -> Admission:
        """What a call may do at `now`; who gets PROBE and goes must say so with `probed`."""
        match self.state(now):
            case CircuitState.CLOSED:
                return Admission.GO
            case CircuitState.OPEN:
                return Admission.REFUSED
            case CircuitState.HALF_OPEN:
                return Admission.PROBE if self.probe is None else Admission.WAIT_FOR_PROBE

    def seconds_left(self, now: float) -> float:
        """Seconds until a probe is due, 0 when none has to be waited for."""
        return 0.0 if self.open_until is None else max(self.open_until - now, 0.0)

    def probed(self) -> "Circuit":
        """A probe goes out; its number is `probe` of the result."""
        return msgspec.structs.replace(self, probe=self.probes + 1, probes=self.probes + 1)

    def released(self, probe: int | None) -> "Circuit":
        """The call that holds `probe` ended without telling anything: the next one may be the probe."""
        if probe is None or probe != self.probe:
            return self
        return msgspec.structs.replace(self, probe=None)

    def succeeded(self) -> "Circuit":
        """A call got an answer that shows the system at work."""
        return Circuit(self.policy, probes=self.probes)

    def failed(self, now: float, probe: int | None) -> "Circuit":
        """A call found the system away; `probe` is the number it held, None for one sent while closed."""
        if self.open_until is not None:
            return self if probe is None or probe != self.probe else self._opened(now)
        failures = self.failures + 1
        if failures >= self.policy.failures:
            return self._opened(now)
        return msgspec.structs.replace(self, failures=failures)

    def tripped(self, until: float) -> "Circuit":
        """Opened by decision, not by failures; what was on its way tells nothing any more."""
        return Circuit(self.policy, openings=max(self.openings, 1), open_until=until, probes=self.probes)

    def _opened(self, now: float) -> "Circuit":
        # The exponent is bounded because 2**1024 does not fit a float.
        seconds = min(self.policy.open_seconds * 2 ** min(self.openings, 64), self.policy.max_open_seconds)
        return Circuit(self.policy, openings=self.openings + 1, open_until=now + seconds, probes=self.probes)
