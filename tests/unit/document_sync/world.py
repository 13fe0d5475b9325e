"""A world in memory on which plans are played: EspoCRM's record, xAI's files and collections, our journal.

It takes the steps of the plan the way the real systems would, so that Hypothesis can play thousands of lives of a
document, killed anywhere, in a second. The real effects are tested against the simulators elsewhere.
"""

import hashlib
from dataclasses import dataclass, field

import msgspec

from bitbylaw.common.events import EntityRef
from bitbylaw.document_sync.mapping import read_document
from bitbylaw.document_sync.model import Content, DocumentRecord
from bitbylaw.document_sync.plan import next_step, saved, without
from bitbylaw.document_sync.policies import DocumentPolicies, Values
from bitbylaw.document_sync.records import deleted, left
from bitbylaw.document_sync.status import Processing
from bitbylaw.document_sync.steps import (
    DeleteFile,
    Done,
    Download,
    EnsureCollection,
    Facts,
    Failed,
    Join,
    Leave,
    LookAgain,
    LookAtProcessing,
    LookForStray,
    LookUpUpload,
    Save,
    Step,
    Unknown,
    Upload,
    Verify,
    WriteBack,
)

POLICIES = DocumentPolicies()
DOCUMENT = EntityRef("CDokumente", "6b04cd43a189d3089")
LINKS = {owner.entity_type: owner for owner in POLICIES.owners}


class Killed(Exception):
    """The worker was killed before the step it was about to take."""


@dataclass
class World:
    """Both systems and the journal. `text` is the document's content, None for a document without a file.

    With `cut` the next upload ends its worker, and arrives later, see `arrive`.
    """

    record: dict[str, object] | None = None
    text: str | None = None
    owners: set[EntityRef] = field(default_factory=set)
    journal: DocumentRecord = field(default_factory=DocumentRecord)
    files: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    collections: dict[str, set[str]] = field(default_factory=dict)
    uploads: int = 0
    writes: int = 0
    steps: int = 0
    attachments: int = 0
    cut: bool = False
    late: list[tuple[str, str]] = field(default_factory=list)

    def create(self, text: str | None, owners: set[EntityRef]) -> None:
        """A person creates the document."""
        self.record = {
            "id": DOCUMENT.id, "name": "Klage", "fileStatus": "new", "xaiSyncStatus": "no_sync", "xaiSyncError": None,
            "xaiId": None, "xaiCollections": [], "xaiSyncedHash": None, "md5sum": None, "sha256": None,
            "versionNumber": 1, "accountId": None, "raeumungsklagesIds": [], "cBeteiligtesIds": [],
            "dokumentId": None, "dokumentName": None,
        }  # fmt: skip
        self.attach(text)
        self.link(owners)

    def attach(self, text: str | None) -> None:
        """A person replaces the file, or removes it."""
        assert self.record is not None
        self.attachments += 1
        self.text = text
        self.record["dokumentId"] = None if text is None else f"{self.attachments:017x}"
        self.record["dokumentName"] = None if text is None else "klage.txt"

    def link(self, owners: set[EntityRef]) -> None:
        """A person sets the links."""
        assert self.record is not None
        self.owners = set(owners)
        for entity_type, link in LINKS.items():
            ids = sorted(owner.id for owner in owners if owner.type == entity_type)
            self.record[link.attribute] = ids if link.attribute.endswith("Ids") else (ids[0] if ids else None)
        self.owners = {
            EntityRef(link.entity_type, i) for link in LINKS.values() for i in _ids(self.record[link.attribute])
        }

    def arrive(self) -> None:
        """What was still on its way to xAI when its sender was killed arrives."""
        for name, text in self.late:
            self.uploads += 1
            self.files[f"file-{self.uploads}"] = text
            self.names[f"file-{self.uploads}"] = name
        self.late.clear()

    def collection_of(self, owner: EntityRef) -> str:
        """The collection an owner has."""
        return f"collection-{owner.key}"

    def run(self, *, said_delete: bool = False, force: bool = False, kill_at: int | None = None) -> Step:
        """One run; the step it ended with. Raises Killed before step number `kill_at`."""
        record = None if self.record is None else read_document(Values(dict(self.record)), POLICIES)
        owners = (
            {}
            if record is None or force
            else {o: self.journal.owners[o.key] for o in record.owners if o.key in self.journal.owners}
        )
        facts = Facts(
            policies=POLICIES, entity=DOCUMENT, now=1000.0 + self.steps, document=record, record=self.journal,
            said_delete=said_delete, force=force, owners=dict(owners),
        )  # fmt: skip
        for number in range(200):
            step = next_step(facts)
            if isinstance(step, (Done, LookAgain, Unknown, Failed)):
                return step
            if number == kill_at:
                raise Killed
            facts = self.take(step, facts)
            self.steps += 1
        raise AssertionError(f"went in circles: {step}")

    def take(self, step: Step, facts: Facts) -> Facts:  # noqa: C901, PLR0911, PLR0912  (one case per step)
        """Take one step as the real systems would."""
        replace = msgspec.structs.replace
        match step:
            case Save():
                assert step.record != self.journal, "a save that saves nothing"
                self.journal = step.record
                return saved(facts, step.record)
            case Download():
                assert self.text is not None
                return replace(facts, content=content_of(self.text, step.attachment_id))
            case LookUpUpload():
                found = tuple(f for f, name in self.names.items() if name == step.intent.name and f in self.files)
                return replace(facts, found=found)
            case LookForStray():
                found = tuple(f for f, name in self.names.items() if name == step.stray.name and f in self.files)
                return replace(facts, arrived={**facts.arrived, step.stray.name: found})
            case Verify():
                return replace(facts, exists=step.file_id in self.files)
            case Upload() if self.cut:
                self.cut = False
                self.late.append((step.name, self.text or ""))
                raise Killed
            case Upload():
                self.uploads += 1
                file_id = f"file-{self.uploads}"
                self.files[file_id] = self.text or ""
                self.names[file_id] = step.name
                return replace(facts, uploaded=file_id)
            case EnsureCollection():
                collection = self.collection_of(step.owner)
                self.collections.setdefault(collection, set())
                return replace(facts, owners={**facts.owners, step.owner: collection})
            case Join():
                present = step.file_id in self.collections[step.collection_id]
                assert step.check or not present
                if present:
                    return replace(facts, processing={**facts.processing, step.collection_id: Processing.PROCESSED})
                if step.file_id not in self.files:
                    return replace(facts, exists=False)
                self.collections[step.collection_id].add(step.file_id)
                return replace(facts, fresh=facts.fresh | {step.collection_id})
            case LookAtProcessing():
                present = step.file_id in self.collections.get(step.collection_id, set())
                state = Processing.PROCESSED if present else Processing.ABSENT
                return replace(facts, processing={**facts.processing, step.collection_id: state})
            case Leave():
                self.collections.get(step.collection_id, set()).discard(step.file_id)
                self.journal = left(facts.record, step.collection_id, step.file_id)
                return replace(facts, record=self.journal)
            case DeleteFile():
                assert not any(step.file_id in members for members in self.collections.values())
                self.files.pop(step.file_id, None)
                self.journal = deleted(facts.record, step.file_id)
                return replace(without(facts, step.file_id), record=self.journal)
            case WriteBack():
                assert self.record is not None
                assert step.changes, "a write that writes nothing"
                self.writes += 1
                for change in step.changes:
                    self.record[change.attribute] = (
                        list(change.value) if isinstance(change.value, tuple) else change.value
                    )
                return replace(facts, document=read_document(Values(dict(self.record)), POLICIES))
            case _:
                raise AssertionError(step)

    def settle(self, **how: bool) -> None:
        """Run until nothing more is to be done."""
        for _ in range(8):
            if isinstance(self.run(**how), Done):
                return
            self.steps += 500  # time passes
        raise AssertionError("never done")

    def check(self) -> None:
        """What must hold when all is quiet: one file with the content, in exactly the collections the links demand."""
        members = {c: set(files) for c, files in self.collections.items() if files}
        if self.record is None:
            assert members == {}
            return
        demanded = {self.collection_of(owner) for owner in self.owners} if self.text is not None else set()
        assert set(members) == demanded
        assert sorted(self.record["xaiCollections"]) == sorted(demanded)  # type: ignore[call-overload]
        if self.text is None:
            assert self.files == {}
            assert self.record["xaiSyncStatus"] == "no_sync"
            return
        if demanded:
            assert list(self.files.values()) == [self.text], "one file, of this content"
            assert set(self.files) == {self.record["xaiId"]} == set().union(*members.values())
            assert self.record["xaiSyncStatus"] == "clean"
            assert self.record["fileStatus"] == "synced"
            assert self.record["xaiSyncedHash"] == hashlib.md5(self.text.encode(), usedforsecurity=False).hexdigest()
        else:
            assert self.record["xaiSyncStatus"] == "no_sync"
            assert len(self.files) <= 1


def content_of(text: str, attachment_id: str) -> Content:
    """The content that a download of `text` gives."""
    data = text.encode()
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return Content(
        attachment_id, md5, hashlib.sha256(data).hexdigest(), len(data), "/spool/file", "klage.txt", "text/plain"
    )


def _ids(value: object) -> list[str]:
    if isinstance(value, list):
        return [str(item) for item in value]
    return [str(value)] if value else []
