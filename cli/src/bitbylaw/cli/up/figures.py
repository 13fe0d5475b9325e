"""A service's figures, read from its own /metrics."""

import aiohttp
import msgspec
from prometheus_client.parser import text_string_to_metric_families


class Figures(msgspec.Struct, frozen=True):
    """What the table shows of a service; zeros for what it does not count."""

    webhooks: int = 0
    rejected: int = 0
    done: int = 0
    nothing_to_do: int = 0
    retried: int = 0
    dead: int = 0
    upstream_calls: int = 0


async def read_figures(session: aiohttp.ClientSession, ops_port: int) -> Figures | None:
    """The figures of the service on `ops_port`, None while it does not answer."""
    try:
        async with session.get(f"http://127.0.0.1:{ops_port}/metrics") as answer:
            text = await answer.text()
    except (aiohttp.ClientError, OSError, TimeoutError):
        return None
    counted: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = f"{sample.name}:{sample.labels.get('outcome', '')}"
            counted[key] = counted.get(key, 0) + sample.value

    def figure(name: str, outcome: str = "") -> int:
        return int(counted.get(f"bitbylaw_{name}:{outcome}", 0))

    return Figures(
        webhooks=figure("webhook_events_total", "accepted"),
        rejected=figure("webhook_events_total", "rejected") + figure("webhook_events_total", "unauthorized"),
        done=figure("events_handled_total", "done"),
        nothing_to_do=figure("events_handled_total", "nothing_to_do"),
        retried=figure("events_handled_total", "retried"),
        dead=figure("events_handled_total", "dead_lettered"),
        upstream_calls=figure("upstream_requests_total"),
    )
