"""The simulated installation without HTTP: every service, wired; the only place that knows how they hang together."""

import tempfile
from pathlib import Path
from uuid import uuid4

from bitbylaw.simulators.espocrm.attachments import AttachmentKeeper, AttachmentRules
from bitbylaw.simulators.espocrm.blobs import BlobStore
from bitbylaw.simulators.espocrm.config import EspoConfig
from bitbylaw.simulators.espocrm.links import LinkService
from bitbylaw.simulators.espocrm.notes import NOTE, NoteBook, NoteRules
from bitbylaw.simulators.espocrm.records import RecordService
from bitbylaw.simulators.espocrm.references import References
from bitbylaw.simulators.espocrm.relating import Relating
from bitbylaw.simulators.espocrm.rendering import Rendering
from bitbylaw.simulators.espocrm.search.listing import Listing
from bitbylaw.simulators.espocrm.store import Record, Store
from bitbylaw.simulators.espocrm.users import Action, EspoUser
from bitbylaw.simulators.espocrm.webhooks.addresses import AllowedAddresses
from bitbylaw.simulators.espocrm.webhooks.events import SaveEvents
from bitbylaw.simulators.espocrm.webhooks.job import WebhookJob
from bitbylaw.simulators.espocrm.webhooks.payload import Payloads
from bitbylaw.simulators.espocrm.webhooks.queue import QueueItem, WebhookQueue
from bitbylaw.simulators.espocrm.webhooks.registry import WEBHOOK, WebhookRegistry
from bitbylaw.simulators.espocrm.webhooks.rules import CORE_EVENTS, HOOK_EVENTS, WebhookRules
from bitbylaw.simulators.espocrm.webhooks.sender import HttpDelivery


class Core:
    """One installation's services, all reading and writing the same store."""

    def __init__(self, config: EspoConfig) -> None:
        self.config = config
        self.store = Store(config.schema)
        self.scratch = Path(tempfile.gettempdir()) / f"espocrm-simulator-{uuid4().hex}"
        self.blobs = self._blob_store()
        self.relating = Relating(self.store)
        self.rendering = Rendering(self.store, self.relating, config.text_limit_in_list)
        self.listing = Listing(self.store, self.relating)
        self.notes = NoteBook(self.store, config.clock, config.make_id)
        self.registry = WebhookRegistry(self.store)
        self.queue = WebhookQueue(lambda event: bool(self.registry.listening(event)))
        self.addresses = AllowedAddresses(
            config.webhooks.allowed_addresses, allow_loopback=config.webhooks.allow_loopback
        )
        self.events = SaveEvents(self.queue, Payloads(self.rendering), link_hook=False)
        self.records = self._record_service()
        self.links = LinkService(self.records, self.relating, self.events)
        self.job = self._webhook_job()
        self.users = {user.user_name: user for user in config.users}
        self._users_by_id = {user.id: user for user in config.users}
        self.add_missing_users()
        if config.link_hook:
            self.install_link_hook()

    def install_link_hook(self) -> None:
        """Emulate the extension of sample 14: links fire events, and webhooks for them can be registered."""
        self.events.link_hook = True
        self._webhook_rules.events = CORE_EVENTS | HOOK_EVENTS

    def add_missing_users(self) -> None:
        """Give every configured user its record, from which others' names are read."""
        table = self.store.tables["User"]
        for user in self.config.users:
            if user.id not in table.records:
                self.store.add(Record(table.entity_type, user.id, _user_values(user), deleted=False))

    def _blob_store(self) -> BlobStore:
        if self.config.state_dir is not None:
            return BlobStore(self.config.state_dir / "blobs", 0)
        return BlobStore(self.scratch, self.config.memory_limit)

    def _record_service(self) -> RecordService:
        keeper = AttachmentKeeper(self.store, self.blobs)
        self._webhook_rules = WebhookRules(
            self.config.schema,
            self.registry,
            self.queue,
            self.addresses,
            self.config.make_secret,
            self.config.webhooks.max_count_per_user,
            CORE_EVENTS,
        )
        rules = {
            "Attachment": AttachmentRules(self.store, self.blobs),
            NOTE: NoteRules(self.store, self.notes),
            WEBHOOK: self._webhook_rules,
        }
        return RecordService(
            self.store,
            self.rendering,
            References(self.store, self.relating, keeper),
            self.events,
            self.notes,
            rules,
            self.config.clock,
            self.config.make_id,
        )

    def _webhook_job(self) -> WebhookJob:
        settings = self.config.webhooks
        return WebhookJob(
            settings,
            self.config.clock,
            self.queue,
            self.registry,
            self.addresses,
            HttpDelivery(settings.connect_timeout, settings.timeout),
            self._may_deliver,
            self._remove_webhook,
        )

    def _may_deliver(self, webhook: Record, item: QueueItem) -> bool:
        """Say whether the record still has a row and the webhook's owner may read it (reference 1, Payload)."""
        owner = self._users_by_id.get(webhook.get("createdById"))
        has_row = item.record_id in self.store.tables[item.entity_type].records
        return owner is not None and has_row and owner.may(item.entity_type, Action.READ)

    def _remove_webhook(self, webhook: Record) -> None:
        self.store.set_deleted(webhook, deleted=True)
        self.registry.changed()
        self.queue.drop_webhook(webhook.id)


def _user_values(user: EspoUser) -> dict[str, object]:
    return {
        "name": user.shown_name,
        "userName": user.user_name,
        "lastName": user.shown_name,
        "type": "admin" if user.is_admin else "api",
        "isActive": True,
        "createdAt": user.created_at,
        "modifiedAt": user.created_at,
    }
