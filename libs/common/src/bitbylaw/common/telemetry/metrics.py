"""All metrics of the suite in one place: names, labels and buckets are part of the Contract.

Base units (seconds), prefix `bitbylaw_`, never an entity id in a label.
"""

from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.process_collector import ProcessCollector

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_AGE = (0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400, 86400)


class Outcome(StrEnum):
    """How an event's handling ended (label `outcome` of `events_handled_total`)."""

    DONE = "done"
    NOTHING_TO_DO = "nothing_to_do"
    RETRIED = "retried"
    DEAD_LETTERED = "dead_lettered"


class WebhookOutcome(StrEnum):
    """How a webhook element's intake ended (label `outcome` of `webhook_events_total`)."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNAUTHORIZED = "unauthorized"
    UNAVAILABLE = "unavailable"


class Metrics:
    """One process's metrics, on a registry of their own so that tests can hold several."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.webhook_events = self._counter("webhook_events_total", "Webhook elements", "entity", "action", "outcome")
        self.events_handled = self._counter(
            "events_handled_total", "Events whose run ended", "service", "subject", "outcome"
        )
        self.events_coalesced = self._counter("events_coalesced_total", "Events covered by another event's run")
        self.handler_seconds = self._histogram("handler_seconds", "Duration of a run", _FAST, "service")
        self.event_age_seconds = self._histogram("event_age_seconds", "Age of an event at its run's start", _AGE)
        self.lease_wait_seconds = self._histogram("lease_wait_seconds", "Time from delivery to the lease", _FAST)
        self.leases_lost = self._counter("leases_lost_total", "Leases lost in the middle of a run", "service")
        self.upstream_requests = self._counter(
            "upstream_requests_total", "Calls to outside systems", "system", "operation", "status"
        )
        self.upstream_request_seconds = self._histogram(
            "upstream_request_seconds", "Duration of calls to outside systems", _FAST, "system", "operation"
        )
        self.breaker_open = self._gauge("breaker_open", "1 while the system's circuit breaker is open", "system")
        self.dead_letters = self._gauge("dead_letters", "Dead letters waiting for a person")
        self.drift_found = self._counter("drift_found_total", "Differences found by a sweep", "service")
        self.entities_out_of_sync = self._gauge("entities_out_of_sync", "Entities known to differ", "service")

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"bitbylaw_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"bitbylaw_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"bitbylaw_{name}", text, labels, buckets=buckets, registry=self.registry)
