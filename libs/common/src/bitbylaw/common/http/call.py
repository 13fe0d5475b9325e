"""One call as it is meant, before any attempt at it."""

from collections.abc import Mapping

import aiohttp
import msgspec
from yarl import URL

from bitbylaw.common.errors import Executed, RateLimited, TransientError

#: Methods that change nothing: repeated freely, not fenced. All others need the lease.
READING = frozenset({"GET", "HEAD", "OPTIONS"})
_READ_ATTEMPTS = 3
_WRITE_ATTEMPTS = 2

Body = bytes | aiohttp.FormData | None


class Call(msgspec.Struct, frozen=True):
    """A call: `name` describes it in messages (no values), `expect` are the statuses that are no failure."""

    name: str
    operation: str
    method: str
    url: URL
    headers: Mapping[str, str]
    body: Body
    expect: frozenset[int]
    timeout: aiohttp.ClientTimeout

    @property
    def attempts(self) -> int:
        """How often it may be tried: a form is read from disk while it is sent, and cannot be sent again."""
        if isinstance(self.body, aiohttp.FormData):
            return 1
        return _READ_ATTEMPTS if self.method in READING else _WRITE_ATTEMPTS

    def worth_repeating(self, error: Exception) -> bool:
        """Whether trying again at once makes sense: a read after a passing fault, a write that never went out."""
        if not isinstance(error, TransientError) or isinstance(error, RateLimited) or error.delay is not None:
            return False
        return self.method in READING or error.executed is Executed.NO
