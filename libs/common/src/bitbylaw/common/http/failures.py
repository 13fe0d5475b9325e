"""Which error of ours a failed call is, and whether it speaks against the whole system."""

import os
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus

import aiohttp
from aiohttp import hdrs

from bitbylaw.common.errors import (
    BitByLawError,
    CredentialsRefused,
    Executed,
    NotFound,
    RateLimited,
    Refused,
    TransientError,
)
from bitbylaw.common.http.answer import Answer
from bitbylaw.common.http.retry_after import retry_after

#: Statuses with which a proxy or a system says that the system as a whole is away. 500 is not one of them: a single
#: entity may cause it.
DOWN = frozenset({502, 503, 504})
_REDIRECTS = range(300, 400)
_SERVER_ERRORS = 500


class Break(StrEnum):
    """How a call ended that got no whole answer (label `status` of `upstream_requests_total`)."""

    CONNECT = "connect"
    TIMEOUT = "timeout"
    CUT = "cut"


#: What a call without a whole answer raises in aiohttp.
BROKEN = (aiohttp.ClientError, TimeoutError, OSError)


def how_it_broke(error: BaseException) -> Break:
    """Tell a connection that never came about from a timeout and from one that was cut."""
    match error:
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            return Break.CONNECT
        case TimeoutError():
            return Break.TIMEOUT
        case _:
            return Break.CUT


def broken(error: BaseException, how: Break, call: str) -> TransientError:
    """The error for a call that got no whole answer. Only one that found no connection was certainly not executed."""
    executed = Executed.NO if how is Break.CONNECT else Executed.UNKNOWN
    cause = error.__cause__ or error  # what the system said, behind aiohttp's name for it
    number = getattr(cause, "errno", None)
    why = f", {os.strerror(number)}" if isinstance(number, int) and number > 0 else ""
    what = {
        Break.CONNECT: "no connection",
        Break.TIMEOUT: "no answer in time",
        Break.CUT: "the connection was cut",
    }[how]
    return TransientError(f"{call}: {what} ({type(cause).__name__}{why})", executed=executed)


def refused_or_failed(system: str, answer: Answer, message: str) -> BitByLawError:
    """The error that an unexpected status means; `message` describes call and answer."""
    status = answer.status
    delay = retry_after(answer.headers.get(hdrs.RETRY_AFTER), datetime.now(UTC))
    if status >= _SERVER_ERRORS or status == HTTPStatus.REQUEST_TIMEOUT:
        return TransientError(message, delay=delay)
    match status:
        case HTTPStatus.NOT_FOUND:
            return NotFound(message)
        case HTTPStatus.TOO_MANY_REQUESTS:
            return RateLimited(message, delay=delay, executed=Executed.NO)
        case HTTPStatus.UNAUTHORIZED:
            return CredentialsRefused(system, f"{message}: credentials refused")
        case _ if status in _REDIRECTS:
            return Refused(f"{message}: redirects are not followed, check the address", status=status)
        case _:
            return Refused(message, status=status)
