"""The circuit breaker of one upstream system: the effects around `Circuit` (clock, waiting, metric, log)."""

import asyncio
from collections.abc import Callable

import msgspec

from bitbylaw.common.errors import UpstreamDown
from bitbylaw.common.http.circuit import Admission, BreakerPolicy, Circuit, CircuitState
from bitbylaw.common.telemetry.logging import get_logger
from bitbylaw.common.telemetry.metrics import Metrics

#: Seconds a call waits for somebody else's probe before it counts the system as away.
PROBE_PATIENCE = 10.0

log = get_logger("breaker")


class Permit(msgspec.Struct, frozen=True):
    """Leave to make one call. `probe` is the probe's number, None for an ordinary call."""

    probe: int | None = None


class Breaker:
    """Decides whether calls to `system` may go out. `clock` gives seconds; the event loop's by default."""

    def __init__(
        self,
        system: str,
        metrics: Metrics,
        *,
        policy: BreakerPolicy | None = None,
        clock: Callable[[], float] | None = None,
        probe_patience: float = PROBE_PATIENCE,
    ) -> None:
        self.system = system
        self._circuit = Circuit(policy or BreakerPolicy())
        self._clock = clock
        self._probe_patience = probe_patience
        self._gauge = metrics.breaker_open.labels(system)
        self._gauge.set(0)
        self._changed = asyncio.Event()

    @property
    def state(self) -> CircuitState:
        """The state now."""
        return self._circuit.state(self._now())

    async def admit(self) -> Permit:
        """Return when a call may go out; its end must be told with `record_success`, `record_failure` or `release`.

        Closed: at once. Half open: the first caller is the probe, the others wait for its result.

        Raises:
            UpstreamDown: the breaker is open, or the probe takes too long.
        """
        patient_until = self._now() + self._probe_patience
        while True:
            now = self._now()
            match self._circuit.admission(now):
                case Admission.GO:
                    return Permit()
                case Admission.PROBE:
                    self._circuit = self._circuit.probed()
                    return Permit(self._circuit.probe)
                case Admission.REFUSED:
                    raise self._down(now)
                case Admission.WAIT_FOR_PROBE:
                    if now >= patient_until:
                        raise UpstreamDown(self.system, "its probe is not back", delay=self._probe_patience)
                    await self._wait(patient_until - now)

    def check(self) -> None:
        """Return unless the breaker is open.

        Raises:
            UpstreamDown: it is.
        """
        now = self._now()
        if self._circuit.admission(now) is Admission.REFUSED:
            raise self._down(now)

    def record_success(self, permit: Permit) -> None:
        """The call of `permit` got an answer that shows the system at work."""
        del permit  # whoever succeeds shows it
        self._move(self._circuit.succeeded())

    def record_failure(self, permit: Permit) -> None:
        """The call of `permit` found the system away."""
        self._move(self._circuit.failed(self._now(), permit.probe))

    def trip(self, seconds: float) -> None:
        """Open for `seconds` whatever was before: the system is there, but there is no use in asking it."""
        self._move(self._circuit.tripped(self._now() + seconds))

    def release(self, permit: Permit) -> None:
        """The call of `permit` was cancelled or never sent: it tells nothing. Harmless after one of the two above."""
        self._move(self._circuit.released(permit.probe))

    async def wait_closed(self) -> None:
        """Return as soon as the breaker is closed or a probe may be sent. For consumers that pause meanwhile."""
        while True:
            now = self._now()
            match self._circuit.admission(now):
                case Admission.GO | Admission.PROBE:
                    return
                case Admission.REFUSED:
                    await self._wait(self._circuit.seconds_left(now))
                case Admission.WAIT_FOR_PROBE:
                    await self._wait(None)

    def _now(self) -> float:
        return self._clock() if self._clock is not None else asyncio.get_running_loop().time()

    def _down(self, now: float) -> UpstreamDown:
        return UpstreamDown(self.system, "its breaker is open", delay=self._circuit.seconds_left(now))

    async def _wait(self, seconds: float | None) -> None:
        """Wait for the next move of the circuit, `seconds` at most."""
        changed = self._changed
        try:
            async with asyncio.timeout(seconds):
                await changed.wait()
        except TimeoutError:
            return

    def _move(self, circuit: Circuit) -> None:
        before, self._circuit = self._circuit, circuit
        if circuit == before:
            return
        was_closed, is_closed = before.open_until is None, circuit.open_until is None
        if was_closed and not is_closed:
            self._gauge.set(1)
            log.warning("breaker_opened", system=self.system)
        elif is_closed and not was_closed:
            self._gauge.set(0)
            log.info("breaker_closed", system=self.system)
        self._changed.set()
        self._changed = asyncio.Event()
