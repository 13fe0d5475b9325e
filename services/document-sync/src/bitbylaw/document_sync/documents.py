"""The actor of a document: observe, ask the plan, take the step, until the plan is content."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from bitbylaw.common.actors.journal import Journal, Journals
from bitbylaw.common.actors.run import Run
from bitbylaw.common.errors import (
    BitByLawError,
    NotFound,
    NotYet,
    StaleWrite,
    UnknownEntity,
)
from bitbylaw.common.espocrm.client import EspoClient
from bitbylaw.common.events import Action
from bitbylaw.common.telemetry.logging import get_logger
from bitbylaw.common.telemetry.metrics import Outcome
from bitbylaw.document_sync.client import XaiClient
from bitbylaw.document_sync.collections import Collections
from bitbylaw.document_sync.content import ContentRefused, Spool
from bitbylaw.document_sync.crm import writable
from bitbylaw.document_sync.effects import Effects
from bitbylaw.document_sync.mapping import read_document
from bitbylaw.document_sync.model import Document, DocumentRecord, Failure
from bitbylaw.document_sync.plan import next_step, seen
from bitbylaw.document_sync.policies import DocumentPolicies, Values
from bitbylaw.document_sync.steps import Done, Facts, LookAgain, Step, Unknown
from bitbylaw.document_sync.writeback import failure_changes

#: A plan that needs more steps than this for one document goes in circles: a fault of ours.
MAX_STEPS = 500

log = get_logger("documents")


class DocumentHandler:
    """Handles the events of CDokumente. `on_step` is told each step before it is taken (tests kill there)."""

    def __init__(
        self,
        policies: DocumentPolicies,
        *,
        espo: EspoClient,
        xai: XaiClient,
        journals: Journals[DocumentRecord],
        collections: Collections,
        spool: Spool,
        on_step: Callable[[Step], None] | None = None,
    ) -> None:
        self._policies = policies
        self._espo = espo
        self._xai = xai
        self._journals = journals
        self._collections = collections
        self._spool = spool
        self._on_step = on_step

    async def handle(self, run: Run) -> Outcome:
        """Make the document true in xAI and in EspoCRM; see `Handler`."""
        journal = await self._journals.open(run.entity, run.lease.guard)
        document = await self._read(run)
        policies = await writable(self._espo, self._policies, document)
        facts = self._observed(run, policies, document, journal.record)
        async with self._spool.room() as room:
            return await self._reconcile(run, facts, journal, room)

    async def give_up(self, run: Run, error: BaseException) -> None:
        """Show in EspoCRM that the document is not in sync, and why."""
        if isinstance(error, (UnknownEntity, ContentRefused)):
            return  # nothing to mark, or marked already
        reason = str(error) if isinstance(error, BitByLawError) else f"internal fault ({type(error).__name__})"
        document = await self._read(run)
        if document is not None:
            await self._mark_failed(run, document, reason)

    def _observed(
        self, run: Run, policies: DocumentPolicies, document: Document | None, record: DocumentRecord
    ) -> Facts:
        known = (
            {}
            if run.force or document is None
            else {owner: record.owners[owner.key] for owner in document.owners if owner.key in record.owners}
        )
        return Facts(
            policies=policies,
            entity=run.entity,
            now=time.time(),
            document=document,
            record=record,
            said_delete=run.says(Action.DELETE),
            force=run.force,
            owners=dict(known),
        )

    async def _read(self, run: Run) -> Document | None:
        try:
            return read_document(Values(await self._espo.read(run.entity)), self._policies)
        except NotFound:
            return None

    async def _reconcile(self, run: Run, facts: Facts, journal: Journal[DocumentRecord], room: Path) -> Outcome:
        effects = Effects(
            self._policies,
            espo=self._espo,
            xai=self._xai,
            collections=self._collections,
            spool=self._spool,
            journal=journal,
            room=room,
        )
        for taken in range(MAX_STEPS):
            step = next_step(facts)
            match step:
                case Done():
                    return Outcome.DONE if taken else Outcome.NOTHING_TO_DO
                case LookAgain():
                    raise NotYet("xAI may still change something", delay=step.delay)
                case Unknown():
                    raise UnknownEntity(f"EspoCRM has no {facts.entity.type} with this id")
            if self._on_step is not None:
                self._on_step(step)
            log.debug("step", step=type(step).__name__)
            try:
                facts = await effects.take(step, facts)
            except ContentRefused as refused:
                facts = await self._refused(run, facts, journal, refused)
        raise RuntimeError(f"the plan went in circles; last step {type(step).__name__}")

    async def _refused(
        self, run: Run, facts: Facts, journal: Journal[DocumentRecord], refused: ContentRefused
    ) -> Facts:
        """Mark the document as failed and remember why; or the facts as they are now, if another file is there by now.

        Raises:
            ContentRefused: it is marked.
        """
        judged = facts.document.attachment_id if facts.document else None
        while True:
            document = await self._read(run)
            if document is None or document.attachment_id != judged:
                log.info("refused_file_is_gone", reason=str(refused))
                return seen(msgspec.structs.replace(facts, record=journal.record), document)
            with suppress(StaleWrite):
                await self._mark_failed(run, document, str(refused))
                break
        failure = Failure(
            document.attachment_id, document.attachment_name, document.file_status, str(refused), document.datei_status
        )
        await journal.save(msgspec.structs.replace(journal.record, failure=failure))
        raise refused

    async def _mark_failed(self, run: Run, document: Document, reason: str) -> None:
        changes = failure_changes(document, self._policies, reason)
        if changes:
            values = {change.attribute: change.value for change in changes}
            await self._espo.update(run.entity, values, version=document.version)
