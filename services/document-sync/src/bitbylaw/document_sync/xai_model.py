"""What xAI's answers mean to us. Source: reference xai.md; field names held against the vendor's descriptors.

xAI's JSON comes from grpc-gateway: 64-bit numbers may be texts, empty fields may be missing.
"""

from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from bitbylaw.common.errors import Executed, TransientError

_T = TypeVar("_T")


class DocumentStatus(StrEnum):
    """How far xAI is with a file in a collection."""

    PROCESSING = "processing"
    PROCESSED = "processed"
    FAILED = "failed"


class XaiFile(msgspec.Struct, frozen=True, rename={"size": "bytes"}):
    """A file; `size` in bytes, `created_at` in unix seconds."""

    id: str
    filename: str = ""
    size: int = 0
    created_at: float = 0


class Collection(msgspec.Struct, frozen=True, rename=lambda name: f"collection_{name}"):
    """A collection. It has no metadata: its description is the only place for our back-reference."""

    id: str
    name: str = ""
    description: str | None = None


class FileMetadata(msgspec.Struct, frozen=True):
    """What xAI says of the file behind a document."""

    file_id: str = ""
    name: str = ""
    size_bytes: int = 0


class WireDocument(msgspec.Struct, frozen=True):
    """A document as it comes over the wire."""

    file_metadata: FileMetadata = FileMetadata()
    status: str = ""
    error_message: str | None = None

    def read(self) -> "CollectionDocument":
        """It in our words."""
        meta = self.file_metadata
        return CollectionDocument(
            meta.file_id, meta.name, meta.size_bytes, status_of(self.status), self.error_message or ""
        )


class CollectionDocument(msgspec.Struct, frozen=True):
    """A file in a collection; `error_message` is empty unless its status is FAILED."""

    file_id: str
    name: str
    size: int
    status: DocumentStatus
    error_message: str


class FilePage(msgspec.Struct, frozen=True):
    """A page of files."""

    data: list[XaiFile] = []
    pagination_token: str | None = None


class CollectionPage(msgspec.Struct, frozen=True):
    """A page of collections."""

    collections: list[Collection] = []
    pagination_token: str | None = None


class DocumentPage(msgspec.Struct, frozen=True):
    """A page of documents."""

    documents: list[WireDocument] = []
    pagination_token: str | None = None


def status_of(text: str) -> DocumentStatus:
    """The status; CHUNKED, EMBEDDING, WRITING and whatever else may come mean that xAI is still at work."""
    match text.removeprefix("DOCUMENT_STATUS_"):
        case "PROCESSED":
            return DocumentStatus.PROCESSED
        case "FAILED":
            return DocumentStatus.FAILED
        case _:
            return DocumentStatus.PROCESSING


def decoded(body: bytes, as_: type[_T], executed: Executed = Executed.NO) -> _T:
    """The JSON of `body` as `as_`, with numbers in texts taken as numbers.

    Raises:
        TransientError: it is none, or does not fit; `executed` says whether the call that got it took effect.
    """
    try:
        value: Any = msgspec.json.decode(body, type=as_, strict=False)
    except msgspec.DecodeError as error:
        raise TransientError(f"xAI's answer does not fit {as_.__name__}: {error}", executed=executed) from None
    fitting: _T = value
    return fitting
