"""The two queues between a save and a webhook: events, and items per webhook (tables `webhook_event_queue_item`, …)."""

import enum
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

KEPT_ITEMS = 20_000
"""How many finished items stay visible; EspoCRM purges them by age (reference 1)."""


class ItemStatus(enum.StrEnum):
    """Where a queue item is, in EspoCRM's words."""

    PENDING = "Pending"
    SUCCESS = "Success"
    FAILED = "Failed"


class Event(msgspec.Struct, frozen=True):
    """Something that was saved and that at least one webhook asked for; `data` is frozen at that moment."""

    number: int
    name: str
    entity_type: str
    record_id: str
    user_id: str
    data: dict[str, Any]


class QueueItem(msgspec.Struct):
    """One event on its way to one webhook; times in seconds since 1970."""

    number: int
    webhook_id: str
    event: str
    entity_type: str
    record_id: str
    data: dict[str, Any]
    status: ItemStatus = ItemStatus.PENDING
    attempts: int = 0
    process_at: float | None = None
    processed_at: float | None = None


class QueueState(msgspec.Struct, frozen=True):
    """The queues as plain data, for a snapshot."""

    last_event: int
    last_item: int
    events: list[Event]
    items: list[QueueItem]


class WebhookQueue:
    """The events not yet fanned out, the items not yet done, and the last of those that are.

    `is_wanted` says whether any webhook listens to an event; EspoCRM queues no others.
    """

    def __init__(self, is_wanted: Callable[[str], bool]) -> None:
        self._is_wanted = is_wanted
        self.events: deque[Event] = deque()
        self.pending: dict[int, QueueItem] = {}
        self.done: deque[QueueItem] = deque(maxlen=KEPT_ITEMS)
        self._last_event = 0
        self._last_item = 0
        self.revision = 0

    def emit(self, name: str, entity_type: str, record_id: str, user_id: str, data: dict[str, Any]) -> None:
        """Queue an event that somebody wants."""
        if not self._is_wanted(name):
            return
        self._last_event += 1
        self.revision += 1
        event = Event(self._last_event, name, entity_type, record_id, user_id, data)
        self.events.append(event)

    def take_events(self, portion: int) -> list[Event]:
        """Take the oldest events off the first queue."""
        self.revision += 1
        return [self.events.popleft() for _ in range(min(portion, len(self.events)))]

    def enqueue(self, event: Event, webhook_id: str) -> None:
        """Put an event into the second queue, for one webhook."""
        self._last_item += 1
        item = QueueItem(self._last_item, webhook_id, event.name, event.entity_type, event.record_id, event.data)
        self.pending[item.number] = item

    def due(self, now: float) -> dict[str, list[QueueItem]]:
        """The items that may be sent now, by webhook; webhooks by their oldest item, items by number."""
        due: dict[str, list[QueueItem]] = {}
        for item in self.pending.values():
            if item.process_at is None or item.process_at <= now:
                due.setdefault(item.webhook_id, []).append(item)
        return due

    def finish(self, item: QueueItem, status: ItemStatus) -> None:
        """Move an item to the finished ones."""
        item.status = status
        self.pending.pop(item.number, None)
        self.done.append(item)
        self.revision += 1

    def drop(self, item: QueueItem) -> None:
        """Forget an item."""
        self.pending.pop(item.number, None)
        self.revision += 1

    def drop_webhook(self, webhook_id: str) -> None:
        """Forget every item of a webhook that is gone."""
        for item in [item for item in self.pending.values() if item.webhook_id == webhook_id]:
            self.drop(item)

    def items(self) -> list[QueueItem]:
        """Every item still known, by number."""
        return sorted([*self.pending.values(), *self.done], key=lambda item: item.number)

    def state(self) -> QueueState:
        """Everything not yet delivered."""
        return QueueState(self._last_event, self._last_item, list(self.events), list(self.pending.values()))

    def load(self, state: QueueState) -> None:
        """Take what `state` gave."""
        self._last_event, self._last_item = state.last_event, state.last_item
        self.events = deque(state.events)
        self.pending = {item.number: item for item in state.items}
