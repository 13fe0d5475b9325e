"""Time, ids and secrets: the three things a test wants to decide itself."""

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count

Clock = Callable[[], float]
"""Now, in seconds since 1970 (UTC)."""
MakeId = Callable[[], str]
"""A new record id."""
MakeSecret = Callable[[], str]
"""A new webhook secret: 32 hex digits."""

DATE_TIME = "%Y-%m-%d %H:%M:%S"
_MICROSECONDS = 1_000_000
_RANDOM_BYTES = 2


def date_time(moment: float) -> str:
    """Write a moment as EspoCRM stores it: `YYYY-MM-DD HH:MM:SS` in UTC (reference 4)."""
    return datetime.fromtimestamp(moment, tz=UTC).strftime(DATE_TIME)


def moment_of(text: str) -> float:
    """Read what `date_time` wrote, in seconds since 1970. Raises `ValueError` for anything else."""
    return datetime.strptime(text, DATE_TIME).replace(tzinfo=UTC).timestamp()


def random_ids(clock: Clock = time.time) -> MakeId:
    """Make ids like EspoCRM: PHP's uniqid (8 digits seconds, 5 digits microseconds) and 4 random ones (reference 4).

    As in PHP no two calls share the uniqid part: a second call within the microsecond gets the next one.
    """
    last = 0

    def make() -> str:
        nonlocal last
        last = max(last + 1, int(clock() * _MICROSECONDS))
        seconds, microseconds = divmod(last, _MICROSECONDS)
        return f"{seconds:08x}{microseconds:05x}{secrets.token_hex(_RANDOM_BYTES)}"

    return make


def counted_ids(prefix: str = "6b04") -> MakeId:
    """Make ids that are the same in every run: the prefix and a number, 17 hex digits in all."""
    numbers = count(1)
    return lambda: f"{prefix}{next(numbers):0{17 - len(prefix)}x}"


def random_secret() -> str:
    """Make a webhook's secret key."""
    return secrets.token_hex(16)
