"""The document as we see it in EspoCRM, and the record we keep of it."""

import msgspec

from bitbylaw.common.events import EntityRef
from bitbylaw.document_sync.status import FileStatus, XaiSyncStatus


class Document(msgspec.Struct, frozen=True):
    """A CDokumente, read from EspoCRM.

    `wants_sync` says whether `fileStatus` or `dateiStatus` ask for one. `version` is None where the entity has no
    optimistic concurrency control. `attributes` are the names EspoCRM answered with: only these can be written.
    """

    id: str
    name: str
    attachment_id: str | None
    attachment_name: str | None
    file_status: FileStatus | None
    datei_status: str | None
    wants_sync: bool
    sync_status: XaiSyncStatus | None
    sync_error: str | None
    xai_id: str | None
    xai_collections: tuple[str, ...]
    synced_hash: str | None
    md5: str | None
    sha256: str | None
    owners: tuple[EntityRef, ...]
    version: int | None
    attributes: frozenset[str]


class Content(msgspec.Struct, frozen=True):
    """A downloaded file: digests in lowercase hex, `size` in bytes, the spool file's path, its name and type."""

    attachment_id: str
    md5: str
    sha256: str
    size: int
    path: str
    name: str
    content_type: str


class UploadIntent(msgspec.Struct, frozen=True):
    """An upload that was about to begin at `at` (unix seconds)."""

    name: str
    attachment_id: str
    md5: str
    sha256: str
    size: int
    at: float


class Stray(msgspec.Struct, frozen=True):
    """An upload that was cut at or after `since`, and may still arrive as a file of this name before `until`."""

    name: str
    since: float
    until: float


class StoredFile(msgspec.Struct, frozen=True):
    """The file in xAI that stands for the document's content."""

    id: str
    attachment_id: str
    md5: str
    sha256: str
    at: float


class RetiredFile(msgspec.Struct, frozen=True):
    """A file of older content that is still to be taken out of `collections` and deleted."""

    id: str
    collections: tuple[str, ...]


class Failure(msgspec.Struct, frozen=True):
    """A content that can never be synced as it is, so that it is not tried again and again."""

    attachment_id: str | None
    attachment_name: str | None
    file_status: FileStatus | None
    reason: str
    datei_status: str | None = None


class DocumentRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """The journal of one document.

    `collections` are all that the file may be in (saved before it is added), `joined` those where adding is known to
    have worked, `owners` the collection each linked entity had at the last agreement. `strays` are uploads whose end
    nobody knows: xAI may finish one long after its sender was stopped or its connection was cut.
    """

    intent: UploadIntent | None = None
    file: StoredFile | None = None
    collections: tuple[str, ...] = ()
    joined: tuple[str, ...] = ()
    owners: dict[str, str] = {}
    retired: tuple[RetiredFile, ...] = ()
    strays: tuple[Stray, ...] = ()
    failure: Failure | None = None
    deleted: bool = False


class Owner(msgspec.Struct, frozen=True):
    """An entity that has, or may have, a collection. `has_field`: its CRM record can keep the collection's id."""

    ref: EntityRef
    name: str
    collection_id: str | None
    has_field: bool


class CollectionIntent(msgspec.Struct, frozen=True):
    """A collection that was about to be created under `name`."""

    name: str


class OwnerRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """The journal of one owner's collection."""

    intent: CollectionIntent | None = None
    collection_id: str | None = None
