"""A limit of requests per second, and the 429 beyond it (reference, Errors and limits)."""

import math
from email.utils import formatdate
from http import HTTPStatus

from bitbylaw.simulators.xai.clock import Clock
from bitbylaw.simulators.xai.config import RetryAfter
from bitbylaw.simulators.xai.errors import XaiError


class RateLimit:
    """A bucket of one second's requests that fills up again evenly."""

    def __init__(self) -> None:
        self._rate = 0.0
        self._left = 0.0
        self._seen_at = 0.0

    def take(self, rate: float | None, clock: Clock, form: RetryAfter) -> None:
        """Count a request. Raises `XaiError` (429) when there are more than `rate` per second; None is no limit."""
        if rate is None:
            return
        now, size = clock(), max(1.0, rate)
        if rate != self._rate:
            self._rate, self._left = rate, size
        else:
            self._left = min(size, self._left + (now - self._seen_at) * rate)
        self._seen_at = now
        if self._left < 1.0:
            raise _too_many((1.0 - self._left) / rate, now, form)
        self._left -= 1.0


def _too_many(wait: float, now: float, form: RetryAfter) -> XaiError:
    seconds = max(1, math.ceil(wait))
    headers = {
        RetryAfter.NONE: {},
        RetryAfter.SECONDS: {"Retry-After": str(seconds)},
        RetryAfter.HTTP_DATE: {"Retry-After": formatdate(math.ceil(now) + seconds, usegmt=True)},
    }[form]
    return XaiError(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests. Please slow down.", headers)
