"""The steps of the plan as effects: each takes the facts, does one thing, and gives back what is known then."""

from pathlib import Path

import msgspec

from bitbylaw.common.actors.journal import Journal
from bitbylaw.common.errors import (
    BitByLawError,
    Executed,
    NotFound,
    PermanentError,
    Refused,
    StaleWrite,
    TransientError,
    UpstreamDown,
)
from bitbylaw.common.espocrm.client import EspoClient
from bitbylaw.common.telemetry.logging import get_logger
from bitbylaw.document_sync.client import DocumentStatus, XaiClient
from bitbylaw.document_sync.collections import Collections
from bitbylaw.document_sync.content import ContentRefused, Spool
from bitbylaw.document_sync.mapping import read_document
from bitbylaw.document_sync.model import DocumentRecord
from bitbylaw.document_sync.plan import saved, seen, without
from bitbylaw.document_sync.policies import DocumentPolicies, Values
from bitbylaw.document_sync.records import deleted, left
from bitbylaw.document_sync.status import Processing
from bitbylaw.document_sync.steps import (
    DeleteFile,
    Download,
    EnsureCollection,
    Facts,
    Failed,
    Join,
    Leave,
    LookAtProcessing,
    LookForStray,
    LookUpUpload,
    Save,
    Step,
    Upload,
    Verify,
    WriteBack,
)

#: xAI's answers to an upload that speak of its content, not of our credentials or the moment.
_CONTENT_REFUSED = frozenset({413, 415, 422})

#: xAI's clock and ours may differ: an upload is looked for among files this many seconds older than its intent.
CLOCK_SLACK = 900.0

_PROCESSING = {
    DocumentStatus.PROCESSED: Processing.PROCESSED,
    DocumentStatus.FAILED: Processing.FAILED,
    DocumentStatus.PROCESSING: Processing.PROCESSING,
}

log = get_logger("effects")


class Effects:
    """Takes the steps of one run."""

    def __init__(
        self,
        policies: DocumentPolicies,
        *,
        espo: EspoClient,
        xai: XaiClient,
        collections: Collections,
        spool: Spool,
        journal: Journal[DocumentRecord],
        room: Path,
    ) -> None:
        self._policies = policies
        self._espo = espo
        self._xai = xai
        self._collections = collections
        self._spool = spool
        self._journal = journal
        self._room = room

    async def take(self, step: Step, facts: Facts) -> Facts:  # noqa: C901, PLR0911, PLR0912  (one line per step)
        """Take `step`; the facts after it.

        Raises:
            BitByLawError: the step could not be taken.
        """
        match step:
            case Save():
                return await self._save(facts, step.record)
            case Download():
                return await self._download(step, facts)
            case LookUpUpload():
                found = await self._xai.find_upload(step.intent.name, step.intent.at - CLOCK_SLACK)
                return msgspec.structs.replace(facts, found=tuple(file.id for file in found))
            case LookForStray():
                found = await self._xai.find_upload(step.stray.name, step.stray.since - CLOCK_SLACK)
                ids = tuple(file.id for file in found)
                return msgspec.structs.replace(facts, arrived={**facts.arrived, step.stray.name: ids})
            case Verify():
                return msgspec.structs.replace(facts, exists=await self._xai.file(step.file_id) is not None)
            case Upload():
                return await self._upload(step, facts)
            case EnsureCollection():
                return await self._ensure(step, facts)
            case Join():
                return await self._join(step, facts)
            case LookAtProcessing():
                return await self._look(step, facts)
            case Leave():
                await self._xai.remove_document(step.collection_id, step.file_id)
                return await self._save(facts, left(facts.record, step.collection_id, step.file_id))
            case DeleteFile():
                await self._xai.delete_file(step.file_id)
                log.info("file_deleted", file=step.file_id)
                return await self._save(without(facts, step.file_id), deleted(facts.record, step.file_id))
            case Failed():
                raise ContentRefused(step.reason)
            case WriteBack():
                return await self._write_back(step, facts)
            case _:
                raise TypeError(f"{type(step).__name__} is no effect")

    async def _save(self, facts: Facts, record: DocumentRecord) -> Facts:
        await self._journal.save(record)
        return saved(facts, record)

    async def _download(self, step: Download, facts: Facts) -> Facts:
        name = facts.document.attachment_name if facts.document else None
        content = await self._spool.fetch(step.attachment_id, name, self._room)
        return msgspec.structs.replace(facts, content=content)

    async def _upload(self, step: Upload, facts: Facts) -> Facts:
        try:
            file = await self._xai.upload(Path(step.content.path), step.name, step.content.content_type)
        except BitByLawError as error:
            if _certainly_not_executed(error):  # then nothing of it needs to be looked for
                await self._journal.save(msgspec.structs.replace(facts.record, intent=None))
            if isinstance(error, Refused) and error.status in _CONTENT_REFUSED:
                raise ContentRefused(f"xAI refuses the file ({error.status})") from error
            raise
        log.info("file_uploaded", file=file.id, size=step.content.size)
        return msgspec.structs.replace(facts, uploaded=file.id)

    async def _ensure(self, step: EnsureCollection, facts: Facts) -> Facts:
        ensured = await self._collections.ensure(step.owner, verify=step.verify)
        owners = {**facts.owners, step.owner: ensured.id if ensured else None}
        return msgspec.structs.replace(facts, owners=owners)

    async def _join(self, step: Join, facts: Facts) -> Facts:
        if step.check:
            facts = await self._look(LookAtProcessing(step.collection_id, step.file_id), facts)
            if facts.processing[step.collection_id] is not Processing.ABSENT:
                return facts
        try:
            await self._xai.add_document(step.collection_id, step.file_id)
        except NotFound:
            return await self._missing(step, facts)
        processing = {c: state for c, state in facts.processing.items() if c != step.collection_id}
        return msgspec.structs.replace(facts, fresh=facts.fresh | {step.collection_id}, processing=processing)

    async def _missing(self, step: Join, facts: Facts) -> Facts:
        """Adding answered 404: either the collection or the file was taken away behind our back."""
        if await self._xai.collection(step.collection_id) is not None:
            if facts.uploaded == step.file_id:
                raise TransientError("xAI does not know the file it has just taken")
            return msgspec.structs.replace(facts, exists=False)
        gone = {owner for owner, collection in facts.owners.items() if collection == step.collection_id}
        log.warning("collection_gone", collection=step.collection_id)
        file_id = step.file_id
        facts = await self._save(facts, left(facts.record, step.collection_id, file_id))
        return msgspec.structs.replace(
            facts,
            owners={owner: collection for owner, collection in facts.owners.items() if owner not in gone},
            distrusted=facts.distrusted | gone,
        )

    async def _look(self, step: LookAtProcessing, facts: Facts) -> Facts:
        document = await self._xai.document(step.collection_id, step.file_id)
        state = Processing.ABSENT if document is None else _PROCESSING[document.status]
        return msgspec.structs.replace(facts, processing={**facts.processing, step.collection_id: state})

    async def _write_back(self, step: WriteBack, facts: Facts) -> Facts:
        version = facts.document.version if facts.document else None
        values = {change.attribute: change.value for change in step.changes}
        try:
            try:
                answer = await self._espo.update(facts.entity, values, version=version)
            except StaleWrite:
                log.info("write_was_stale")
                answer = await self._espo.read(facts.entity)
        except NotFound:
            log.info("deleted_meanwhile")
            return seen(facts, None)
        return seen(facts, read_document(Values(answer), self._policies))


def _certainly_not_executed(error: BitByLawError) -> bool:
    if isinstance(error, TransientError):
        return error.executed is Executed.NO
    return isinstance(error, (PermanentError, UpstreamDown))
