"""Time as the simulator sees it, and the two ways xAI writes it down."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], float]
"""Now, in seconds since 1970 (UTC)."""

system_clock: Clock = time.time


class ManualClock:
    """A clock that stands still until it is told to go on: processing takes no real time in a test."""

    def __init__(self, now: float = 1_790_000_000.0) -> None:
        self._now = now

    def __call__(self) -> float:
        """Tell the time."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self._now += seconds


def rfc3339(moment: float) -> str:
    """Write a moment like the management host: `2026-09-21T14:13:20.000000Z` (reference, Collections REST)."""
    return datetime.fromtimestamp(moment, tz=UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def moment_of(text: str) -> float:
    """Read RFC 3339, or a plain number of seconds since 1970. Raises `ValueError` for anything else."""
    try:
        return float(text)
    except ValueError:
        return datetime.fromisoformat(text).timestamp()
