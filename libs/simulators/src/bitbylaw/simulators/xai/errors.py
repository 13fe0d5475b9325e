"""What xAI answers when it refuses: a status and `{"code": …, "error": …}` (reference, Errors and limits).

One code is known ("Client specified an invalid argument"); it is how the gRPC library tonic words its status, so the
others are taken from there [I].
"""

from collections.abc import Mapping
from http import HTTPStatus

_CODES = {
    HTTPStatus.BAD_REQUEST: "Client specified an invalid argument",
    HTTPStatus.UNAUTHORIZED: "The request does not have valid authentication credentials",
    HTTPStatus.FORBIDDEN: "The caller does not have permission to execute the specified operation",
    HTTPStatus.NOT_FOUND: "Some requested entity was not found",
    HTTPStatus.CONFLICT: "Some entity that we attempted to create already exists",
    HTTPStatus.TOO_MANY_REQUESTS: "Some resource has been exhausted",
}


class XaiError(Exception):
    """A refusal with its status, its text and any extra headers."""

    def __init__(self, status: HTTPStatus, error: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {error}")
        self.status = status
        self.error = error
        self.headers = dict(headers or {})

    @property
    def body(self) -> dict[str, str]:
        """The JSON body."""
        return error_body(self.status, self.error)


def error_body(status: int, error: str) -> dict[str, str]:
    """Word a refusal as xAI does."""
    known = HTTPStatus(status)
    return {"code": _CODES.get(known, known.phrase), "error": error}


def bad_request(error: str) -> XaiError:
    """400: an argument is wrong."""
    return XaiError(HTTPStatus.BAD_REQUEST, error)


def not_found(error: str) -> XaiError:
    """404: there is no such thing, or not any more."""
    return XaiError(HTTPStatus.NOT_FOUND, error)


def no_such_file(file_id: str) -> XaiError:
    """404 for a file."""
    return not_found(f"File {file_id} not found.")


def no_such_collection(collection_id: str) -> XaiError:
    """404 for a collection."""
    return not_found(f"Collection {collection_id} not found.")


def no_such_document(collection_id: str, file_id: str) -> XaiError:
    """404 for a file that is not in this collection."""
    return not_found(f"Document {file_id} not found in collection {collection_id}.")


def conflict(error: str) -> XaiError:
    """409: it is there already."""
    return XaiError(HTTPStatus.CONFLICT, error)


def forbidden(error: str) -> XaiError:
    """403: the key is blocked or lacks a permission."""
    return XaiError(HTTPStatus.FORBIDDEN, error)


def unauthorized(error: str) -> XaiError:
    """401: no key at all."""
    return XaiError(HTTPStatus.UNAUTHORIZED, error)


def too_large(limit: int) -> XaiError:
    """413: the file has more than `limit` bytes."""
    return XaiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"File exceeds the maximum size of {limit} bytes.")


def unsupported_media_type(error: str) -> XaiError:
    """415: the body is not of the type this route takes."""
    return XaiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, error)


def unprocessable(error: str) -> XaiError:
    """422: a field of the body has the wrong type."""
    return XaiError(HTTPStatus.UNPROCESSABLE_ENTITY, error)
