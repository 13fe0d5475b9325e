"""Whether a service is alive and ready, as named checks that its parts put in."""

from collections.abc import Callable

import msgspec

#: A check answers None when all is well, else what is wrong in a few words.
Check = Callable[[], str | None]


class Report(msgspec.Struct, frozen=True):
    """The answer of /healthz and /readyz: `faults` by the name of their check."""

    ok: bool
    faults: dict[str, str]


class Health:
    """Liveness (restart me if it fails) and readiness (send me nothing while it fails)."""

    def __init__(self) -> None:
        self._live: dict[str, Check] = {}
        self._ready: dict[str, Check] = {"started": lambda: "still starting"}
        #: Whether the start is over.
        self.up = False

    def alive_if(self, name: str, check: Check) -> None:
        """Add a check to liveness."""
        self._live[name] = check

    def ready_if(self, name: str, check: Check) -> None:
        """Add a check to readiness."""
        self._ready[name] = check

    def started(self) -> None:
        """Say that the start is over."""
        self.up = True
        self._ready["started"] = lambda: None

    def draining(self) -> None:
        """Say that the service takes nothing more."""
        self._ready["started"] = lambda: "draining"

    def live(self) -> Report:
        """The state of liveness."""
        return _report(self._live)

    def ready(self) -> Report:
        """The state of readiness."""
        return _report(self._ready)


def _report(checks: dict[str, Check]) -> Report:
    faults = {name: fault for name, check in checks.items() if (fault := check()) is not None}
    return Report(not faults, faults)
