"""Registering webhooks: which events, which URLs, whose (reference 1, sample 13)."""

from collections.abc import Mapping
from typing import Any

from bitbylaw.simulators.espocrm.clock import MakeSecret
from bitbylaw.simulators.espocrm.coercion import Sent
from bitbylaw.simulators.espocrm.errors import forbidden, invalid_field
from bitbylaw.simulators.espocrm.rules import EntityRules
from bitbylaw.simulators.espocrm.schema import Schema
from bitbylaw.simulators.espocrm.store import Record
from bitbylaw.simulators.espocrm.users import Action, EspoUser
from bitbylaw.simulators.espocrm.webhooks.addresses import AllowedAddresses
from bitbylaw.simulators.espocrm.webhooks.queue import WebhookQueue
from bitbylaw.simulators.espocrm.webhooks.registry import WEBHOOK, WebhookRegistry

CORE_EVENTS = frozenset({"create", "update", "delete", "fieldUpdate"})
HOOK_EVENTS = frozenset({"link", "unlink"})
"""The events of the custom hook of sample 14; EspoCRM itself has none for links."""


class WebhookRules(EntityRules):
    """Every user sees and edits only its own webhooks; the secret and the parts of the event are the server's."""

    def __init__(
        self,
        schema: Schema,
        registry: WebhookRegistry,
        queue: WebhookQueue,
        addresses: AllowedAddresses,
        make_secret: MakeSecret,
        max_count: int,
        events: frozenset[str],
    ) -> None:
        self._schema = schema
        self._registry = registry
        self._queue = queue
        self._addresses = addresses
        self._make_secret = make_secret
        self._max_count = max_count
        self.events = events

    def prepare_create(self, user: EspoUser, data: Mapping[str, Any], sent: Sent) -> None:
        """Check the event, the number of webhooks and the URL."""
        del data
        event = sent.values.get("event")
        if not event:
            raise invalid_field(WEBHOOK, "event", "required")
        self._check_event(str(event))
        if self._registry.count_of(user.id) >= self._max_count:
            raise forbidden("Webhook count limit exceeded.")
        self._check_url(sent)

    def prepare_update(self, user: EspoUser, record: Record, sent: Sent) -> None:
        """Check a new URL; the event stays what it was."""
        del user, record
        sent.values.pop("event", None)
        self._check_url(sent)

    def server_values(self, user: EspoUser, data: Mapping[str, Any], sent: Sent) -> dict[str, Any]:
        """The event's parts and the secret key."""
        del user, data
        entity_type, kind, field = _parts(sent.values["event"])
        return {"entityType": entity_type, "type": kind, "field": field, "secretKey": self._make_secret()}

    def may(self, user: EspoUser, record: Record, action: Action) -> bool:
        """Only the owner and admins may."""
        return super().may(user, record, action) and (user.is_admin or record.get("createdById") == user.id)

    def after_save(self, user: EspoUser, record: Record, data: Mapping[str, Any], *, is_new: bool) -> None:
        """Let the next event find the webhook as it is now."""
        del user, record, data, is_new
        self._registry.changed()

    def after_delete(self, user: EspoUser, record: Record) -> None:
        """Forget the webhook and what was on its way to it."""
        del user
        self._registry.changed()
        self._queue.drop_webhook(record.id)

    def _check_event(self, event: str) -> None:
        entity_name, kind, field = _parts(event)
        entity_type = self._schema.by_name.get(entity_name)
        if entity_type is None or not entity_type.is_object:
            raise forbidden("Entity type is not available for Webhooks.")
        if kind not in self.events or (field is not None) != (kind == "fieldUpdate"):
            raise forbidden("Not supported event.")
        if field is not None and field not in entity_type.field_by_name:
            raise forbidden("Field does not exist.")

    def _check_url(self, sent: Sent) -> None:
        url = sent.values.get("url")
        if isinstance(url, str) and not url.startswith(("http://", "https://")):
            raise invalid_field(WEBHOOK, "url", "valid")
        if isinstance(url, str) and not self._addresses.permits(url):
            raise invalid_field(WEBHOOK, "url", "notInternal")


def _parts(event: str) -> tuple[str, str, str | None]:
    entity_type, _, rest = event.partition(".")
    kind, _, field = rest.partition(".")
    return entity_type, kind, field or None
