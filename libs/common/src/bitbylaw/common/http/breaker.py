"""The breaker of one system for callers on one event loop: admits, lets wait for the probe, pauses consumers.

What it decides is `Circuit`'s business; here are the waiting, the metric and the two log events.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import msgspec

from bitbylaw.common.errors import UpstreamDown
from bitbylaw.common.http.circuit import Admission, BreakerPolicy, Circuit, CircuitState
from bitbylaw.common.telemetry.logging import get_logger
from bitbylaw.common.telemetry.metrics import Metrics

#: Seconds a caller waits for another one's probe.
PROBE_WAIT = 30.0

log = get_logger("breaker")


class Permit(msgspec.Struct, frozen=True):
    """Leave for one call; `probe` is its number when the call is the probe."""

    probe: int | None = None


class Breaker:
    """The breaker of `system`."""

    def __init__(
        self,
        system: str,
        *,
        metrics: Metrics,
        policy: BreakerPolicy | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.system = system
        self._circuit = Circuit(policy or BreakerPolicy())
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self._changed = asyncio.Event()
        self._gauge = metrics.breaker_open.labels(system)
        self._gauge.set(0)

    @property
    def state(self) -> CircuitState:
        """Where it stands now."""
        return self._circuit.state(self._clock())

    def check(self) -> None:
        """Return unless it is open.

        Raises:
            UpstreamDown: it is.
        """
        now = self._clock()
        if self._circuit.state(now) is CircuitState.OPEN:
            raise UpstreamDown(self.system, "the breaker is open", delay=self._circuit.seconds_left(now))

    async def admit(self) -> Permit:
        """Leave for a call, after waiting for the probe if one is on its way.

        Raises:
            UpstreamDown: the system is away.
        """
        while True:
            self.check()
            changed = self._changed
            match self._circuit.admission(self._clock()):
                case Admission.GO:
                    return Permit()
                case Admission.PROBE:
                    self._circuit = self._circuit.probed()
                    return Permit(self._circuit.probe)
                case _:
                    try:
                        async with asyncio.timeout(PROBE_WAIT):
                            await changed.wait()
                    except TimeoutError:
                        delay = self._circuit.policy.open_seconds
                        raise UpstreamDown(self.system, "the probe has no result yet", delay=delay) from None

    def release(self, permit: Permit) -> None:
        """The call is over, whatever became of it: a probe without a result makes room for another one."""
        self._change(self._circuit.released(permit.probe))

    def record_success(self, permit: Permit) -> None:
        """The call showed the system at work."""
        del permit
        self._change(self._circuit.succeeded())

    def record_failure(self, permit: Permit) -> None:
        """The call found the system away."""
        self._change(self._circuit.failed(self._clock(), permit.probe))

    async def wait_closed(self) -> None:
        """Return when calls may go out, be it as the probe: consumers pause here instead of being fed with failures."""
        while self.state is CircuitState.OPEN:
            changed = self._changed
            with suppress(TimeoutError):
                async with asyncio.timeout(self._circuit.seconds_left(self._clock()) + 0.01):
                    await changed.wait()

    def _change(self, circuit: Circuit) -> None:
        before, self._circuit = self._circuit, circuit
        if circuit == before:
            return
        was_open, is_open = before.open_until is not None, circuit.open_until is not None
        self._gauge.set(int(is_open))
        if is_open and circuit.open_until != before.open_until:
            seconds = round(circuit.seconds_left(self._clock()), 1)
            log.warning("breaker_opened", system=self.system, seconds=seconds)
        elif was_open and not is_open:
            log.info("breaker_closed", system=self.system)
        self._changed.set()
        self._changed = asyncio.Event()
