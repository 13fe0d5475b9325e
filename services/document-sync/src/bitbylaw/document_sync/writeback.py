"""What EspoCRM should say about a document, and the difference to what it says. Pure."""

import msgspec

from bitbylaw.document_sync.mapping import error_text
from bitbylaw.document_sync.model import Document, DocumentRecord
from bitbylaw.document_sync.policies import DocumentPolicies
from bitbylaw.document_sync.status import FileStatus, XaiSyncStatus

Value = str | None | tuple[str, ...]


class Change(msgspec.Struct, frozen=True):
    """One attribute and the value it should have."""

    attribute: str
    value: Value


def changes_for(
    document: Document, policies: DocumentPolicies, record: DocumentRecord, status: XaiSyncStatus
) -> tuple[Change, ...]:
    """The attributes that differ from what a document in `status` should have; only such as this CRM has."""
    fields = policies.fields
    file = record.file
    wanted: dict[str, tuple[Value, Value]] = {
        fields.sync_status: (document.sync_status, status),
        fields.sync_error: (document.sync_error, None),
        fields.xai_collections: (tuple(sorted(document.xai_collections)), tuple(sorted(record.collections))),
        fields.xai_id: (document.xai_id, file.id if file else None),
        fields.synced_hash: (document.synced_hash, file.md5 or None if file else None),
    }
    if file is not None and file.sha256:
        wanted[fields.md5] = (document.md5, file.md5)
        wanted[fields.sha256] = (document.sha256, file.sha256)
    if status in {XaiSyncStatus.PENDING_SYNC, XaiSyncStatus.CLEAN}:
        wanted[fields.file_status] = (document.file_status, FileStatus.SYNCED)
        if policies.datei_status_synced and document.datei_status in policies.datei_status_new:
            wanted[fields.datei_status] = (document.datei_status, policies.datei_status_synced)
    return tuple(
        Change(attribute, value)
        for attribute, (present, value) in wanted.items()
        if present != value and attribute in document.attributes
    )


def failure_changes(document: Document, policies: DocumentPolicies, reason: str) -> tuple[Change, ...]:
    """What says that the document cannot be synced, and why."""
    fields = policies.fields
    text = error_text(reason)
    wanted: dict[str, tuple[Value, Value]] = {
        fields.sync_status: (document.sync_status, XaiSyncStatus.FAILED),
        fields.sync_error: (document.sync_error, text),
    }
    return tuple(
        Change(attribute, value)
        for attribute, (present, value) in wanted.items()
        if present != value and attribute in document.attributes
    )
