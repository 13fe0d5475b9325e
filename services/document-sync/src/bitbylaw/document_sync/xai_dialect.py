"""How xAI words its failures. Source: reference xai.md, "Errors, limits"."""

from http import HTTPStatus

from bitbylaw.common.errors import BitByLawError, CredentialsRefused
from bitbylaw.common.http.answer import Answer
from bitbylaw.common.http.dialect import error_text

_WRONG_KEY = "incorrect api key"


class XaiDialect:
    """xAI explains itself under `error`, and answers 400 to a wrong key."""

    def reason(self, answer: Answer) -> str | None:
        """The text under `error`."""
        return error_text(answer.body)

    def error(self, answer: Answer, message: str) -> BitByLawError | None:
        """A wrong key is a matter of the configuration, not of the request."""
        if answer.status == HTTPStatus.BAD_REQUEST and _WRONG_KEY in (self.reason(answer) or "").lower():
            return CredentialsRefused("xai", f"{message}: credentials refused")
        return None
