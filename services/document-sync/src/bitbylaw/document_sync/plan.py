"""What to do next for a document: a pure decision over what is known, one step at a time.

`next_step` looks at the facts and names the one step that comes next; the handler takes it, adds what it learned to the
facts and asks again, until `Done` or `LookAgain`. Since each step is named by the facts alone, a run that was killed
between any two steps is continued by the next one: it reads the facts anew and comes to the same place.

The order of the rules is the order in which things must be true:
    1  a document that is gone is taken out of its collections, its file kept
    2  a content that can never be synced is not tried again
    3  a document nobody links to, or without a file, belongs into no collection
    4  an upload that was interrupted is looked up before anything is uploaded
    5  the file in xAI has the document's content
    6  every linked entity has a collection, and the file is in exactly these
    7  xAI has processed it everywhere; only then is older content taken away
    8  EspoCRM says so
    9  an upload that was given up, and arrives after all, is taken away
"""

import msgspec

from bitbylaw.document_sync.mapping import upload_name
from bitbylaw.document_sync.model import (
    Content,
    Document,
    DocumentRecord,
    RetiredFile,
    StoredFile,
    Stray,
    UploadIntent,
)
from bitbylaw.document_sync.records import adopted, retire, retired_ids, same, uploaded
from bitbylaw.document_sync.status import FileStatus, Processing, XaiSyncStatus
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
from bitbylaw.document_sync.writeback import changes_for


def next_step(facts: Facts) -> Step:
    """The step that comes next."""
    document = facts.document
    if document is None:
        return _gone(facts)
    if facts.record.deleted:
        return Save(msgspec.structs.replace(facts.record, deleted=False))
    if document.attachment_id is None or not document.owners:
        return _no_sync(facts, document)
    if _known_failure(facts, document):
        return _failed(facts, document)
    return (
        _content(facts, document, document.attachment_id)
        or _file(facts, document)
        or _membership(facts, document)
        or _agreement(facts, document)
    )


def _gone(facts: Facts) -> Step:
    """Rule 1. The file stays: another record may refer to it, and deleting legal data is a person's decision."""
    record = facts.record
    if record == DocumentRecord():
        return Save(DocumentRecord(deleted=True)) if facts.said_delete else Unknown()
    if record.deleted:
        return _finished(facts)
    if record.intent is not None:
        return _resolve_intent(facts, record.intent)
    if record.file is not None:
        for collection in record.collections:
            return Leave(collection, record.file.id)
    return _dispose(record) or Save(msgspec.structs.replace(record, deleted=True, joined=(), owners={}, failure=None))


def _known_failure(facts: Facts, document: Document) -> bool:
    """Rule 2. Anything a person changes about it (file, name, status) makes it worth another try."""
    failure = facts.record.failure
    return (
        failure is not None
        and not facts.force
        and document.sync_status is XaiSyncStatus.FAILED
        and failure.attachment_id == document.attachment_id
        and failure.attachment_name == document.attachment_name
        and failure.file_status == document.file_status
        and failure.datei_status == document.datei_status
    )


def _failed(facts: Facts, document: Document) -> Step:
    """Rule 2, the rest: what concerns no content is done all the same. Older content stays where it still belongs."""
    record = facts.record
    if record.intent is not None:
        return _resolve_intent(facts, record.intent)
    if record.owners:
        current = () if record.file is None else (RetiredFile(record.file.id, record.collections),)
        kept = {record.owners.get(owner.key) for owner in document.owners}
        for file in current + record.retired:
            for collection in file.collections:
                if collection not in kept:
                    return Leave(collection, file.id)
    return _finished(facts)


def _no_sync(facts: Facts, document: Document) -> Step:
    """Rule 3. Without a link the file is kept for the next one; without a file its old content is deleted."""
    record = facts.record
    if record.intent is not None:
        return _resolve_intent(facts, record.intent)
    if record.file is None and document.xai_id is not None and document.xai_id not in retired_ids(record):
        return Save(adopted(record, document, document.xai_id, facts.now))
    if document.attachment_id is None and record.file is not None:
        retired = (*record.retired, RetiredFile(record.file.id, record.collections))
        return Save(msgspec.structs.replace(record, file=None, collections=(), joined=(), owners={}, retired=retired))
    if record.file is not None:
        for collection in record.collections:
            return Leave(collection, record.file.id)
    changes = changes_for(document, facts.policies, record, XaiSyncStatus.NO_SYNC)
    if changes:
        return WriteBack(changes)
    settled = msgspec.structs.replace(record, joined=(), owners={}, failure=None)
    return _dispose(record) or (Save(settled) if settled != record else _finished(facts))


def _content(facts: Facts, document: Document, attachment_id: str) -> Step | None:
    """Rules 4 and 5, first half: have the content where it is needed to decide."""
    if facts.content is not None:
        return None
    record = facts.record
    known = record.file is not None and record.file.attachment_id == attachment_id
    # An attachment never changes; a status that asks all the same is honoured if the sync can reset it.
    asked = document.file_status in {FileStatus.NEW, FileStatus.CHANGED} or (
        document.wants_sync and bool(facts.policies.datei_status_synced)
    )
    doubtful = asked or document.sync_status in {XaiSyncStatus.UNCLEAN, XaiSyncStatus.FAILED}
    if known and not doubtful and not facts.force and record.intent is None and facts.exists is not False:
        return None
    return Download(attachment_id)


def _file(facts: Facts, document: Document) -> Step | None:
    """Rules 4 and 5, second half: the file in xAI has the content, and there is one of it."""
    record, content = facts.record, facts.content
    if content is None:
        return _still_there(facts, document)
    if record.intent is not None:
        return _resolve_intent(facts, record.intent)
    if record.file is not None and same(record.file, content):
        current = msgspec.structs.replace(
            record.file, attachment_id=content.attachment_id, md5=content.md5, sha256=content.sha256
        )
        if current != record.file:
            return Save(msgspec.structs.replace(record, file=current))
        return _still_there(facts, document)
    if record.file is None and document.xai_id is not None and facts.uploaded is None:
        return _adopt(facts, document, document.xai_id, content)
    if record.file is not None:
        return Save(retire(record))
    return _upload(facts, document, content)


def _still_there(facts: Facts, document: Document) -> Step | None:
    """The recorded file is asked for only where there is doubt: somebody forces it, or EspoCRM names another one."""
    file = facts.record.file
    if file is None or facts.uploaded is not None:
        return None
    doubt = facts.force or (document.xai_id is not None and document.xai_id != file.id) or facts.exists is False
    if not doubt:
        return None
    if facts.exists is None:
        return Verify(file.id)
    if facts.exists:
        return None
    return Save(retire(facts.record))  # a document of it may dangle in a collection


def _adopt(facts: Facts, document: Document, file_id: str, content: Content) -> Step | None:
    """Our record was lost, but EspoCRM names a file: take it over if it has the content, else replace it."""
    same = document.synced_hash == content.md5 or document.sha256 == content.sha256
    if same and facts.exists is None:
        return Verify(file_id)
    record = facts.record
    if same and facts.exists:
        return Save(adopted(record, document, file_id, facts.now))
    if file_id in retired_ids(record) or facts.exists is False:
        return _upload(facts, document, content)
    retired = (*record.retired, RetiredFile(file_id, document.xai_collections))
    return Save(msgspec.structs.replace(record, retired=retired))


def _upload(facts: Facts, document: Document, content: Content) -> Step:
    name = upload_name(document.id, content.sha256, content.name)
    intent = UploadIntent(name, content.attachment_id, content.md5, content.sha256, content.size, facts.now)
    return Save(msgspec.structs.replace(facts.record, intent=intent, failure=None))


def _resolve_intent(facts: Facts, intent: UploadIntent) -> Step:
    """An intent stands: ours of this run, or one that a crash left. What it left is used, or taken away.

    Nothing found does not mean that nothing comes: xAI may still be busy with it (rule 9).
    """
    record, content = facts.record, facts.content
    if facts.uploaded is not None:
        return Save(uploaded(record, intent, facts.uploaded, facts.now))
    wanted = content is not None and content.sha256 == intent.sha256
    if facts.own_intent and content is not None and wanted:
        return Upload(intent.name, content)
    if facts.found is None:
        return LookUpUpload(intent)
    # What is on its way out may have the same name, when a document comes back to earlier content.
    found = tuple(file_id for file_id in facts.found if file_id not in retired_ids(record))
    if found and wanted:
        first, *rest = found
        retired = record.retired + tuple(RetiredFile(file_id, ()) for file_id in rest)
        return Save(uploaded(msgspec.structs.replace(record, retired=retired), intent, first, facts.now))
    retired = record.retired + tuple(RetiredFile(file_id, ()) for file_id in found)
    strays = record.strays
    if not found:
        strays += (Stray(intent.name, intent.at, facts.now + facts.policies.late_upload_seconds),)
    return Save(msgspec.structs.replace(record, intent=None, retired=retired, strays=strays))


def _membership(facts: Facts, document: Document) -> Step | None:
    """Rule 6."""
    record = facts.record
    for owner in document.owners:
        if owner not in facts.owners:
            return EnsureCollection(owner, verify=facts.force or owner in facts.distrusted)
    wanted = _wanted(facts, document)
    if record.file is None:
        return None
    missing = tuple(sorted(wanted - set(record.collections)))
    if missing:
        return Save(msgspec.structs.replace(record, collections=record.collections + missing))
    for collection in sorted(wanted - set(record.joined)):
        if collection not in facts.fresh and facts.processing.get(collection, Processing.ABSENT) is Processing.ABSENT:
            return Join(collection, record.file.id, check=facts.uploaded is None)
    for collection in record.collections:
        if collection not in wanted:
            return Leave(collection, record.file.id)
    joined = tuple(sorted(wanted))
    owners = {owner.key: collection for owner, collection in facts.owners.items() if collection is not None}
    if (record.joined, record.owners) != (joined, owners):
        return Save(msgspec.structs.replace(record, joined=joined, owners=owners))
    return None


def _agreement(facts: Facts, document: Document) -> Step:
    """Rules 7 and 8."""
    record = facts.record
    wanted = _wanted(facts, document)
    if record.file is None or not wanted:  # every linked entity is gone: the link will follow
        changes = changes_for(document, facts.policies, record, XaiSyncStatus.NO_SYNC)
        return WriteBack(changes) if changes else _finished(facts)
    if document.sync_status is not XaiSyncStatus.CLEAN or facts.force or record.retired:
        waiting = _processing(facts, record.file, wanted)
        if waiting is not None:
            changes = changes_for(document, facts.policies, record, XaiSyncStatus.PENDING_SYNC)
            return WriteBack(changes) if changes and isinstance(waiting, LookAgain) else waiting
    step = _dispose(record)
    if step is not None:
        return step
    changes = changes_for(document, facts.policies, record, XaiSyncStatus.CLEAN)
    return WriteBack(changes) if changes else _finished(facts)


def _processing(facts: Facts, file: StoredFile, wanted: set[str]) -> Step | None:
    """None when xAI is through with the file in every collection."""
    low, high = facts.policies.look_seconds
    age = max(facts.now - file.at, 0.0)
    look = LookAgain(min(max(age / 2, low), high))
    if facts.fresh & wanted:
        return look
    for collection in sorted(wanted):
        if collection not in facts.processing:
            return LookAtProcessing(collection, file.id)
    states = {facts.processing[collection] for collection in wanted}
    if Processing.FAILED in states:
        return Failed("xAI could not process the file")
    if Processing.ABSENT in states:
        present = tuple(c for c in facts.record.joined if facts.processing.get(c) is not Processing.ABSENT)
        return Save(msgspec.structs.replace(facts.record, joined=present))
    if Processing.PROCESSING in states:
        if age > facts.policies.look_for_hours * 3600:
            return Failed(f"xAI did not process the file within {facts.policies.look_for_hours:g} hours")
        return look
    return None


def _dispose(record: DocumentRecord) -> Step | None:
    """Older content leaves its collections first, then it is deleted, then forgotten."""
    for retired in record.retired:
        for collection in retired.collections:
            return Leave(collection, retired.id)
        return DeleteFile(retired.id)
    return None


def _finished(facts: Facts) -> Step:
    """Rule 9. All is as it should be, but an upload that was given up may still arrive: it is waited for."""
    record = facts.record
    for retired in record.retired:
        if not retired.collections:
            return DeleteFile(retired.id)
    for stray in record.strays:
        if stray.name not in facts.arrived:
            return LookForStray(stray)
        for file_id in facts.arrived[stray.name]:
            if (record.file is None or file_id != record.file.id) and file_id not in retired_ids(record):
                return DeleteFile(file_id)
    waiting = tuple(stray for stray in record.strays if stray.until > facts.now)
    if waiting != record.strays:
        return Save(msgspec.structs.replace(record, strays=waiting))
    if not waiting:
        return Done()
    low, _ = facts.policies.look_seconds
    return LookAgain(max(min(stray.until for stray in waiting) - facts.now, low))


def _wanted(facts: Facts, document: Document) -> set[str]:
    return {collection for owner in document.owners if (collection := facts.owners.get(owner)) is not None}


def saved(facts: Facts, record: DocumentRecord) -> Facts:
    """`facts` after `record` was saved. An intent of this very run has left nothing yet that could be looked up."""
    if record.intent == facts.record.intent:
        return msgspec.structs.replace(facts, record=record)
    return msgspec.structs.replace(facts, record=record, found=None, own_intent=record.intent is not None)


def without(facts: Facts, file_id: str) -> Facts:
    """`facts` after a file was deleted."""
    arrived = {name: tuple(i for i in ids if i != file_id) for name, ids in facts.arrived.items()}
    return msgspec.structs.replace(facts, arrived=arrived)


def seen(facts: Facts, document: Document | None) -> Facts:
    """`facts` when EspoCRM shows `document` now: a replaced file makes all that was known of its content void."""
    before = facts.document
    if document is not None and before is not None and before.attachment_id == document.attachment_id:
        return msgspec.structs.replace(facts, document=document)
    return msgspec.structs.replace(
        facts,
        document=document,
        said_delete=facts.said_delete or document is None,
        content=None,
        found=None,
        exists=None,
        uploaded=None,
        own_intent=False,
        fresh=frozenset(),
        processing={},
    )
