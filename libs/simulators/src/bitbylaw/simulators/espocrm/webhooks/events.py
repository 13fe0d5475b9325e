"""Which events a save fires, in which order (reference 1, samples 11 and 14)."""

from bitbylaw.simulators.espocrm.relating import Pair
from bitbylaw.simulators.espocrm.store import Record
from bitbylaw.simulators.espocrm.users import EspoUser
from bitbylaw.simulators.espocrm.webhooks.payload import UNREMARKABLE, Payload, Payloads, deleted, related
from bitbylaw.simulators.espocrm.webhooks.queue import WebhookQueue


class SaveEvents:
    """Queues the events of saves. With `link_hook` links fire too, as with the custom hook of sample 14."""

    def __init__(self, queue: WebhookQueue, payloads: Payloads, *, link_hook: bool) -> None:
        self._queue = queue
        self._payloads = payloads
        self.link_hook = link_hook

    def created(self, user: EspoUser, record: Record, sent_fields: set[str]) -> None:
        """Fire `create`."""
        if record.entity_type.is_object:
            self._emit("create", user, record, self._payloads.created(record, sent_fields))

    def updated(self, user: EspoUser, record: Record, changed_fields: set[str], *, mass: bool) -> None:
        """Fire `update` and then one `fieldUpdate` per changed field; nothing when nothing of note changed."""
        remarkable = changed_fields - UNREMARKABLE
        if not record.entity_type.is_object or not remarkable:
            return
        self._emit("update", user, record, self._payloads.updated(record, changed_fields, modifier_name=not mass))
        for field in record.entity_type.fields:
            if field.name in remarkable:
                self._emit(f"fieldUpdate.{field.name}", user, record, self._payloads.field_updated(record, field))

    def deleted(self, user: EspoUser, record: Record) -> None:
        """Fire `delete`."""
        if record.entity_type.is_object:
            self._emit("delete", user, record, deleted(record))

    def related(self, user: EspoUser, record: Record, added: list[Pair], gone: list[Pair]) -> None:
        """Fire `link` and `unlink` for the side the call was made on, if the hook is installed."""
        if self.link_hook and record.entity_type.is_object:
            for pair in added:
                self._emit("link", user, record, related(pair))
            for pair in gone:
                self._emit("unlink", user, record, related(pair))

    def _emit(self, kind: str, user: EspoUser, record: Record, data: Payload) -> None:
        name = record.entity_type.name
        self._queue.emit(f"{name}.{kind}", name, record.id, user.id, data)
