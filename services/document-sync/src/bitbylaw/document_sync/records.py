"""The document's journal record: what it becomes by what was done. Pure."""

import msgspec

from bitbylaw.document_sync.model import (
    Content,
    Document,
    DocumentRecord,
    RetiredFile,
    StoredFile,
    UploadIntent,
)


def same(file: StoredFile, content: Content) -> bool:
    """Whether the file has the content; of an adopted file only the MD5 may be known."""
    return file.sha256 == content.sha256 if file.sha256 else file.md5 == content.md5


def adopted(record: DocumentRecord, document: Document, file_id: str, now: float) -> DocumentRecord:
    """EspoCRM's references say what xAI has: our record was lost, or the document came back to earlier content."""
    file = StoredFile(file_id, "", document.synced_hash or "", document.sha256 or "", now)
    known = {collection for retired in record.retired if retired.id == file_id for collection in retired.collections}
    return msgspec.structs.replace(
        record,
        file=file,
        collections=tuple(sorted(known.union(document.xai_collections))),
        joined=(),
        retired=tuple(retired for retired in record.retired if retired.id != file_id),
    )


def retired_ids(record: DocumentRecord) -> set[str]:
    """The files that are on their way out."""
    return {retired.id for retired in record.retired}


def retire(record: DocumentRecord) -> DocumentRecord:
    """The recorded file has other content than the document: it goes as soon as its successor is in place."""
    if record.file is None:
        return record
    retired = (*record.retired, RetiredFile(record.file.id, record.collections))
    return msgspec.structs.replace(record, file=None, collections=(), joined=(), owners={}, retired=retired)


def uploaded(record: DocumentRecord, intent: UploadIntent, file_id: str, now: float) -> DocumentRecord:
    """The upload that `intent` announced left `file_id` in xAI."""
    file = StoredFile(file_id, intent.attachment_id, intent.md5, intent.sha256, now)
    return msgspec.structs.replace(record, intent=None, file=file, collections=(), joined=(), owners={}, failure=None)


def left(record: DocumentRecord, collection_id: str, file_id: str) -> DocumentRecord:
    """`record` after `file_id` left a collection."""
    if record.file is not None and record.file.id == file_id:
        return msgspec.structs.replace(
            record,
            collections=tuple(c for c in record.collections if c != collection_id),
            joined=tuple(c for c in record.joined if c != collection_id),
        )
    retired = tuple(
        RetiredFile(r.id, tuple(c for c in r.collections if c != collection_id)) if r.id == file_id else r
        for r in record.retired
    )
    return msgspec.structs.replace(record, retired=retired)


def deleted(record: DocumentRecord, file_id: str) -> DocumentRecord:
    """`record` after a retired file was deleted."""
    return msgspec.structs.replace(record, retired=tuple(r for r in record.retired if r.id != file_id))
