"""What becomes of an event whose run failed: a pure decision over the error tree."""

from collections.abc import Callable

import msgspec

from bitbylaw.common.errors import (
    BusUnavailable,
    LeaseLost,
    NotYet,
    PermanentError,
    RateLimited,
    TransientError,
    UpstreamDown,
)

#: Seconds between two looks when nobody named a pause.
DEFAULT_LOOK = 2.0
#: Seconds, give or take half, after a rate limit that names no pause.
RATE_PAUSE = 10.0


class RetryPolicy(msgspec.Struct, frozen=True):
    """Backoff of one service: `base` seconds doubling up to `cap`, full jitter, `max_attempts` failures in all."""

    max_attempts: int = 8
    base: float = 1.0
    cap: float = 600.0


class Keep(msgspec.Struct, frozen=True):
    """The event stays in its mailbox and is run again as soon as lease and bus allow."""


class Later(msgspec.Struct, frozen=True):
    """The event comes again after `delay` seconds with `attempt` failures on its account."""

    delay: float
    attempt: int


class Dead(msgspec.Struct, frozen=True):
    """No try can help: dead letter."""

    attempts: int


Verdict = Keep | Later | Dead


def judge(error: BaseException, attempt: int, policy: RetryPolicy, jitter: Callable[[], float]) -> Verdict:
    """What to do after `error` met an event that had failed `attempt` times before; `jitter` gives numbers in [0, 1).

    An error that is none of ours is a fault in the code: tried again like a passing one, since the data may change.
    """
    match error:
        case LeaseLost() | BusUnavailable():
            return Keep()
        case NotYet():
            return Later(DEFAULT_LOOK if error.delay is None else error.delay, attempt)
        case RateLimited():
            # Patience is no failure: the upstream is well, and says so to everybody.
            pause = RATE_PAUSE * (0.5 + jitter()) if error.delay is None else error.delay
            return Later(pause, attempt)
        case UpstreamDown():
            # Everybody waits for the same probe; coming back one by one spares the upstream a stampede.
            return Later(error.delay + jitter() * policy.base, attempt)
        case PermanentError():
            return Dead(attempt + 1)
        case TransientError():
            return _counted(attempt + 1, error.max_attempts or policy.max_attempts, error.delay, policy, jitter)
        case _:
            return _counted(attempt + 1, policy.max_attempts, None, policy, jitter)


def _counted(
    failures: int, bound: int, delay: float | None, policy: RetryPolicy, jitter: Callable[[], float]
) -> Verdict:
    if failures >= bound:
        return Dead(failures)
    if delay is None:
        delay = jitter() * min(policy.cap, policy.base * 2 ** min(failures - 1, 32))
    return Later(delay, failures)
