"""What is known in a run, and the steps that can be taken: the vocabulary of `plan`."""

import msgspec

from bitbylaw.common.events import EntityRef
from bitbylaw.document_sync.model import Content, Document, DocumentRecord, Stray, UploadIntent
from bitbylaw.document_sync.policies import DocumentPolicies
from bitbylaw.document_sync.status import Processing
from bitbylaw.document_sync.writeback import Change


class Facts(msgspec.Struct, frozen=True):
    """All that is known in a run.

    `document` is None when EspoCRM has no such record; `found` are the files an interrupted upload left (None: not
    looked); `exists` says of the file named in EspoCRM whether xAI has it (None: not asked); `owners` are the
    collections of linked entities as resolved in this run (None: that entity is gone); `processing` is how far xAI is.
    `fresh` are collections the file was added to in this run, `distrusted` entities whose collection turned out gone.
    `own_intent` says that the recorded intent is this run's own, so that nothing of it can be in xAI yet; `arrived` are
    the files that strays left, by name (a name that was not looked for is missing).
    """

    policies: DocumentPolicies
    entity: EntityRef
    now: float
    document: Document | None
    record: DocumentRecord
    said_delete: bool = False
    force: bool = False
    content: Content | None = None
    found: tuple[str, ...] | None = None
    exists: bool | None = None
    uploaded: str | None = None
    own_intent: bool = False
    arrived: dict[str, tuple[str, ...]] = {}
    owners: dict[EntityRef, str | None] = {}
    fresh: frozenset[str] = frozenset()
    distrusted: frozenset[EntityRef] = frozenset()
    processing: dict[str, Processing] = {}


# --- steps -----------------------------------------------------------------------------------------------------------


class Save(msgspec.Struct, frozen=True):
    """Write the journal."""

    record: DocumentRecord


class Download(msgspec.Struct, frozen=True):
    """Fetch the file from EspoCRM into the spool and compute its digests."""

    attachment_id: str


class LookUpUpload(msgspec.Struct, frozen=True):
    """Find out whether an interrupted upload arrived."""

    intent: UploadIntent


class LookForStray(msgspec.Struct, frozen=True):
    """Find out whether an upload that was given up arrived after all."""

    stray: Stray


class Verify(msgspec.Struct, frozen=True):
    """Ask xAI whether it has the file."""

    file_id: str


class Upload(msgspec.Struct, frozen=True):
    """Upload the content under a name that can be found again."""

    name: str
    content: Content


class EnsureCollection(msgspec.Struct, frozen=True):
    """Find or create the collection of a linked entity; `verify` asks xAI whether a known one is still there."""

    owner: EntityRef
    verify: bool = False


class Join(msgspec.Struct, frozen=True):
    """Add the file to a collection; `check` first whether it is there already."""

    collection_id: str
    file_id: str
    check: bool


class LookAtProcessing(msgspec.Struct, frozen=True):
    """Ask how far xAI is with the file in a collection."""

    collection_id: str
    file_id: str


class Leave(msgspec.Struct, frozen=True):
    """Take a file out of a collection; not being there is fine."""

    collection_id: str
    file_id: str


class DeleteFile(msgspec.Struct, frozen=True):
    """Delete a file of older content; being gone already is fine."""

    file_id: str


class WriteBack(msgspec.Struct, frozen=True):
    """Tell EspoCRM."""

    changes: tuple[Change, ...]


class Unknown(msgspec.Struct, frozen=True):
    """No side knows the document."""


class Failed(msgspec.Struct, frozen=True):
    """xAI could not process the file."""

    reason: str


class LookAgain(msgspec.Struct, frozen=True):
    """Nothing more can be done before `delay` seconds are over."""

    delay: float


class Done(msgspec.Struct, frozen=True):
    """All is as it should be."""


Step = (
    Save
    | Download
    | LookUpUpload
    | LookForStray
    | Verify
    | Upload
    | EnsureCollection
    | Join
    | LookAtProcessing
    | Leave
    | DeleteFile
    | WriteBack
    | Unknown
    | Failed
    | LookAgain
    | Done
)
