"""How EspoCRM words its failures. Source: reference espocrm.md, section 3; samples 06_errors and 08_auth."""

from http import HTTPStatus

import msgspec

from bitbylaw.common.errors import BitByLawError, CredentialsRefused, Executed, RateLimited, Refused, StaleWrite
from bitbylaw.common.http.answer import Answer

#: Seconds for which EspoCRM's guard against guessed keys shuts an address out (`authFailedAttemptsPeriod`).
GUARD_SECONDS = 60.0
_REASON = "X-Status-Reason"


class DuplicateFound(Refused):
    """A record like the one to be created exists already; `ids` are those EspoCRM thinks of."""

    def __init__(self, message: str, *, ids: tuple[str, ...]) -> None:
        super().__init__(message, status=HTTPStatus.CONFLICT)
        self.ids = ids


class _Record(msgspec.Struct):
    id: str


class _Translation(msgspec.Struct):
    label: str = ""
    data: dict[str, object] = {}


class _Explained(msgspec.Struct, rename="camel"):
    message_translation: _Translation


class EspoDialect:
    """EspoCRM explains itself in a header; bodies are empty, or hold records, which must not get into messages."""

    def reason(self, answer: Answer) -> str | None:
        """The header's text, else label and field of a validation failure."""
        if header := answer.headers.get(_REASON):
            return header
        try:
            explained = msgspec.json.decode(answer.body, type=_Explained).message_translation
        except msgspec.DecodeError:
            return None
        parts = (explained.label, explained.data.get("field"), explained.data.get("type"))
        return " ".join(part for part in parts if isinstance(part, str))

    def error(self, answer: Answer, message: str) -> BitByLawError | None:
        """Conflicts, refused keys, and the guard that shuts out everybody behind one address."""
        reason = answer.headers.get(_REASON)
        match answer.status:
            case HTTPStatus.UNAUTHORIZED:
                return CredentialsRefused("espocrm", f"{message}: EspoCRM refused the API key")
            case HTTPStatus.FORBIDDEN if reason is None and not answer.body:
                # Also with a valid key, and it ends by itself. As a rate limit all calls wait for it together.
                return RateLimited(
                    f"{message}: EspoCRM shut this address out after too many failed logins",
                    delay=GUARD_SECONDS,
                    executed=Executed.NO,
                )
            case HTTPStatus.CONFLICT if reason == "modified":
                return StaleWrite(f"{message}: somebody else changed it since it was read", executed=Executed.NO)
            case HTTPStatus.CONFLICT if reason == "duplicate":
                return DuplicateFound(message, ids=_ids(answer.body))
            case _:
                return None


def _ids(body: bytes) -> tuple[str, ...]:
    try:
        return tuple(record.id for record in msgspec.json.decode(body, type=list[_Record]))
    except msgspec.DecodeError:
        return ()
