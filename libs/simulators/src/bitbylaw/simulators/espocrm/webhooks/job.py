"""The scheduled job `ProcessWebhookQueue`: fan out the events, then one POST per webhook (reference 1, sample 12)."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus

import msgspec

from bitbylaw.simulators.espocrm import php_json
from bitbylaw.simulators.espocrm.clock import Clock
from bitbylaw.simulators.espocrm.config import WebhookSettings
from bitbylaw.simulators.espocrm.store import Record
from bitbylaw.simulators.espocrm.webhooks.addresses import AllowedAddresses
from bitbylaw.simulators.espocrm.webhooks.queue import ItemStatus, QueueItem, WebhookQueue
from bitbylaw.simulators.espocrm.webhooks.registry import WebhookRegistry
from bitbylaw.simulators.espocrm.webhooks.sender import CONNECTION_REFUSED, Deliver, NotSendableError
from bitbylaw.simulators.espocrm.webhooks.signature import legacy_signature, signature

RETRIED = frozenset({CONNECTION_REFUSED, 401, 403, 404, 405, 408, 500, 503})
"""The codes after which EspoCRM tries again; every other failure is final at once (reference 1)."""
_FIRST_FAILURE = 400


class Delivery(msgspec.Struct, frozen=True):
    """One POST the job made; `code` None when the URL could not be sent to."""

    webhook_id: str
    url: str
    count: int
    code: int | None
    body: bytes


class WebhookJob:
    """Runs the job; two runs at once wait for each other. `may_deliver` says if the owner may still read the record."""

    def __init__(
        self,
        settings: WebhookSettings,
        clock: Clock,
        queue: WebhookQueue,
        registry: WebhookRegistry,
        addresses: AllowedAddresses,
        deliver: Deliver,
        may_deliver: Callable[[Record, QueueItem], bool],
        remove_webhook: Callable[[Record], None],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._queue = queue
        self._registry = registry
        self._addresses = addresses
        self.deliver = deliver
        self._may_deliver = may_deliver
        self._remove_webhook = remove_webhook
        self._one_at_a_time = asyncio.Lock()

    async def run(self) -> list[Delivery]:
        """Do one run and return the POSTs it made."""
        async with self._one_at_a_time:
            self._fan_out()
            due = self._queue.due(self._clock())
            webhook_ids = list(due)[: self._settings.queue_portion]
            made = [await self._send_batch(webhook_id, due[webhook_id]) for webhook_id in webhook_ids]
            return [delivery for delivery in made if delivery is not None]

    def _fan_out(self) -> None:
        for event in self._queue.take_events(self._settings.event_portion):
            for webhook in self._registry.listening(event.name):
                own = event.user_id == webhook.get("createdById")
                if not (own and webhook.get("skipOwn")):
                    self._queue.enqueue(event, webhook.id)

    async def _send_batch(self, webhook_id: str, due: list[QueueItem]) -> Delivery | None:
        webhook = self._registry.find(webhook_id)
        batch = due[: self._settings.batch_size]
        if webhook is None or not webhook.get("isActive"):
            for item in batch:
                self._queue.finish(item, ItemStatus.FAILED)
            return None
        items = self._deliverable(webhook, batch)
        return await self._send(webhook, items) if items else None

    def _deliverable(self, webhook: Record, batch: list[QueueItem]) -> list[QueueItem]:
        items = []
        for item in batch:
            if self._may_deliver(webhook, item):
                items.append(item)
            else:
                self._queue.drop(item)
        return items

    async def _send(self, webhook: Record, items: list[QueueItem]) -> Delivery:
        url, secret = webhook.get("url"), webhook.get("secretKey")
        body = php_json.encode([item.data for item in items])
        signatures = {
            "Signature": signature(webhook.id, secret, body),
            "X-Signature": legacy_signature(webhook.id, secret, body),
        }
        code = await self._code(url, body, signatures)
        self._judge(webhook, items, code)
        return Delivery(webhook_id=webhook.id, url=url, count=len(items), code=code, body=body)

    async def _code(self, url: str, body: bytes, signatures: dict[str, str]) -> int | None:
        """Send it; None when the URL is not allowed or has no address."""
        if not self._addresses.permits(url):
            return None
        try:
            return await self.deliver(url, body, signatures)
        except NotSendableError:
            return None

    def _judge(self, webhook: Record, items: list[QueueItem], code: int | None) -> None:
        """Give the whole batch its fate."""
        if code == HTTPStatus.GONE:
            self._remove_webhook(webhook)
            return
        for item in items:
            item.attempts += 1
            if code is not None and HTTPStatus.OK <= code < _FIRST_FAILURE:
                item.processed_at = self._clock()
                self._queue.finish(item, ItemStatus.SUCCESS)
            elif code in RETRIED and item.attempts < self._settings.max_attempts:
                item.process_at = self._clock() + self._settings.retry_after
                self._queue.revision += 1
            else:
                item.process_at = None
                self._queue.finish(item, ItemStatus.FAILED)
