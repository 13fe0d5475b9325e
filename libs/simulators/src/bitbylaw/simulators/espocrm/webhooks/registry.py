"""The registered webhooks, read from their records."""

from bitbylaw.simulators.espocrm.store import Record, Store

WEBHOOK = "Webhook"


class WebhookRegistry:
    """Finds webhooks by event; the answers are kept until a webhook changes."""

    def __init__(self, store: Store) -> None:
        self._table = store.tables[WEBHOOK]
        self._by_event: dict[str, list[Record]] | None = None

    def changed(self) -> None:
        """Forget what was known, because a webhook was made, changed or removed."""
        self._by_event = None

    def listening(self, event: str) -> list[Record]:
        """The active webhooks for an event, in the order they were registered."""
        if self._by_event is None:
            self._by_event = {}
            for record in sorted(self._table.living(), key=lambda record: record.id):
                if record.get("isActive"):
                    self._by_event.setdefault(record.get("event"), []).append(record)
        return self._by_event.get(event, [])

    def find(self, webhook_id: str) -> Record | None:
        """A webhook that is not deleted."""
        return self._table.find(webhook_id)

    def count_of(self, user_id: str) -> int:
        """How many webhooks a user has."""
        return sum(1 for record in self._table.living() if record.get("createdById") == user_id)
