"""How one system words its failures: the only thing that differs between upstreams for `UpstreamClient`."""

from typing import Protocol

import msgspec

from bitbylaw.common.errors import BitByLawError
from bitbylaw.common.http.answer import Answer


class Dialect(Protocol):
    """Reads the failures of one system."""

    def reason(self, answer: Answer) -> str | None:
        """The system's own explanation of a failure, None if it gave none. It is masked and cut by the caller."""
        ...

    def error(self, answer: Answer, message: str) -> BitByLawError | None:
        """The error that `answer` means in this system, None to let its status decide. `message` describes the call."""
        ...


class PlainDialect:
    """A system that explains its failures with `{"error": "…"}` and means by each status what HTTP means."""

    def reason(self, answer: Answer) -> str | None:
        """The text under `error`."""
        return error_text(answer.body)

    def error(self, answer: Answer, message: str) -> BitByLawError | None:
        """Nothing particular."""
        del answer, message
        return None


class _ErrorBody(msgspec.Struct):
    error: object = None


def error_text(body: bytes) -> str | None:
    """The text under `error` of a JSON object, None if there is none."""
    try:
        error = msgspec.json.decode(body, type=_ErrorBody).error
    except msgspec.DecodeError:
        return None
    return error if isinstance(error, str) else None
