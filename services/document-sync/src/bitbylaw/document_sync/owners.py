"""The actor of an owner (Räumungsklage, account): its collection exists, and its documents hear of it."""

from bitbylaw.common.actors.run import Run
from bitbylaw.common.bus.publisher import Publisher, event_message
from bitbylaw.common.errors import UnknownEntity
from bitbylaw.common.espocrm.client import EspoClient
from bitbylaw.common.espocrm.where import linked_with
from bitbylaw.common.events import KINDS, Action, Event
from bitbylaw.common.telemetry.logging import get_logger
from bitbylaw.common.telemetry.metrics import Outcome
from bitbylaw.document_sync.collections import Collections
from bitbylaw.document_sync.policies import DocumentPolicies, Values

PAGE = 200

log = get_logger("owners")


class OwnerHandler:
    """Handles the events of entities that have a collection."""

    def __init__(
        self, policies: DocumentPolicies, *, espo: EspoClient, collections: Collections, events: Publisher
    ) -> None:
        self._policies = policies
        self._espo = espo
        self._collections = collections
        self._events = events

    async def handle(self, run: Run) -> Outcome:
        """Find or create the collection; tell the documents if it is new or their links may have changed."""
        ensured = await self._collections.ensure_under(run.lease, verify=run.force)
        if ensured is None:
            if run.says(Action.DELETE):
                return Outcome.NOTHING_TO_DO
            raise UnknownEntity(f"EspoCRM has no {run.entity.type} with this id")
        if not (ensured.created or run.force or run.says(Action.LINK) or run.says(Action.UNLINK)):
            return Outcome.NOTHING_TO_DO
        told = await self._tell_documents(run)
        log.info("documents_told", count=told)
        return Outcome.DONE

    async def give_up(self, run: Run, error: BaseException) -> None:
        """Nothing to mark: the documents of the owner carry the status that people look at."""
        log.warning("collection_not_ensured", owner=run.entity.key, error=type(error).__name__)

    async def _tell_documents(self, run: Run) -> int:
        """One event for each linked document; redundant ones cost a read each."""
        link = self._policies.owner_link(run.entity.type)
        if link is None:
            return 0
        where = linked_with(link.link, run.entity.id)
        kind = KINDS[self._policies.entity_type]
        offset = 0
        while True:
            page = await self._espo.list_page(
                self._policies.entity_type,
                where=[where],
                select=["id"],
                order_by="createdAt",
                order="asc",
                offset=offset,
                max_size=PAGE,
            )
            ids = [entity_id for values in page.items if (entity_id := Values(values).text("id"))]
            latest = run.latest
            await self._events.publish(
                [
                    event_message(
                        Event(kind, Action.SYNC_CHECK, entity_id, "fan-out", latest.time, latest.trace.child())
                    )
                    for entity_id in ids
                ]
            )
            offset += len(ids)
            if len(ids) < PAGE:
                return offset
