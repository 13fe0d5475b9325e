"""The life of a document: where its indexing stands, computed from the clock (reference, Document and status enum)."""

import enum
from fnmatch import fnmatchcase

import msgspec

from bitbylaw.simulators.xai.config import DanglingDocument, XaiConfig
from bitbylaw.simulators.xai.model import Document


class DocumentStatus(enum.StrEnum):
    """Every status the SDK 1.21 knows; the last three are steps on the way."""

    UNKNOWN = "DOCUMENT_STATUS_UNKNOWN"
    PROCESSING = "DOCUMENT_STATUS_PROCESSING"
    PROCESSED = "DOCUMENT_STATUS_PROCESSED"
    FAILED = "DOCUMENT_STATUS_FAILED"
    CHUNKED = "DOCUMENT_STATUS_CHUNKED"
    EMBEDDING = "DOCUMENT_STATUS_EMBEDDING"
    WRITING = "DOCUMENT_STATUS_WRITING"


ALL_STAGES: tuple[str, ...] = (DocumentStatus.CHUNKED, DocumentStatus.EMBEDDING, DocumentStatus.WRITING)
"""For `XaiConfig.stages`: every known step between PROCESSING and PROCESSED."""

_FILE_GONE = "The file of this document has been deleted."


class Indexing(msgspec.Struct, frozen=True):
    """Where a document's indexing stands; `status` is a `DocumentStatus` or a stage of the configuration's own."""

    status: str
    error_message: str = ""
    last_indexed_at: float | None = None

    @property
    def processing_status(self) -> str:
        """The same in the words of `file_metadata`: processing, complete or failed."""
        finished = {DocumentStatus.PROCESSED: "complete", DocumentStatus.FAILED: "failed"}
        return next((word for status, word in finished.items() if status == self.status), "processing")


def indexing_of(document: Document, config: XaiConfig) -> Indexing:
    """Say where this document stands now."""
    if document.file_deleted and config.dangling_document is DanglingDocument.FAILED:
        return Indexing(DocumentStatus.FAILED, _FILE_GONE)
    waited = config.clock() - document.indexing_since
    if waited < config.processing_time:
        return Indexing(_stage(waited / config.processing_time, config.stages))
    failure = _failure(document.file.filename, config)
    if failure is not None:
        return Indexing(DocumentStatus.FAILED, failure)
    indexed_at = document.indexing_since + config.processing_time
    return Indexing(DocumentStatus.PROCESSED, last_indexed_at=indexed_at)


def _stage(share: float, stages: tuple[str, ...]) -> str:
    every = (DocumentStatus.PROCESSING.value, *stages)
    return every[int(share * len(every))]


def _failure(filename: str, config: XaiConfig) -> str | None:
    return next((text for pattern, text in config.failing_names.items() if fnmatchcase(filename, pattern)), None)
