"""What EspoCRM answers when it refuses: a status, the header `X-Status-Reason`, seldom a body (sample 06)."""

from http import HTTPStatus
from typing import Any


class EspoError(Exception):
    """A refusal. `reason` None leaves the header out, an empty one sends it empty; `body` None sends no body.

    `html` is true where the answer's content type is PHP's default instead of JSON; `challenge` asks for credentials.
    """

    def __init__(
        self,
        status: int,
        reason: str | None = None,
        body: Any = None,
        *,
        html: bool = False,
        challenge: bool = False,
    ) -> None:
        super().__init__(f"{status} {reason or ''}".strip())
        self.status = status
        self.reason = reason
        self.body = body
        self.html = html
        self.challenge = challenge


def bad_request(reason: str) -> EspoError:
    """400 without a body."""
    return EspoError(HTTPStatus.BAD_REQUEST, reason)


def forbidden(reason: str) -> EspoError:
    """403 without a body."""
    return EspoError(HTTPStatus.FORBIDDEN, reason)


def not_found(reason: str) -> EspoError:
    """404 without a body."""
    return EspoError(HTTPStatus.NOT_FOUND, reason)


def invalid_field(entity_type: str, field: str, kind: str) -> EspoError:
    """400 for a value that breaks a rule of its field (sample 06: required, valid, maxLength)."""
    reason = f"Field validation failure; entityType: {entity_type}, field: {field}, type: {kind}."
    return EspoError(HTTPStatus.BAD_REQUEST, reason, _translated("validationFailure", {"field": field, "type": kind}))


def cannot_relate(entity_type: str, link: str, foreign_type: str) -> EspoError:
    """403 for a link to a record that does not exist or that the caller cannot read (sample 06)."""
    reason = f"Can't relate with non-existing record. entity type: {entity_type}, link: {link}."
    return EspoError(
        HTTPStatus.FORBIDDEN, reason, _translated("cannotRelateNonExisting", {"foreignEntityType": foreign_type})
    )


def conflict(reason: str, body: Any) -> EspoError:
    """409: `duplicate` with the records found, or `modified` with the values stored now."""
    return EspoError(HTTPStatus.CONFLICT, reason, body)


def _translated(label: str, data: dict[str, str]) -> dict[str, Any]:
    return {"messageTranslation": {"label": label, "scope": None, "data": data}}
