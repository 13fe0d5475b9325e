"""Webhooks as EspoCRM sends them, built beforehand: the load must cost less than what it loads."""

import base64
import hashlib
import hmac

import msgspec

PATH = "/vmh/webhook/document/create"
WEBHOOK_ID = "6b04cd43a189d30aa"
SECRET = "c0ffee00c0ffee00c0ffee00c0ffee00"


class Load(msgspec.Struct, frozen=True):
    """One run: `connections` send one request after the other for `seconds` after `warm_up` seconds.

    `seed` keeps the entities of two runs apart; `pool` bounds the requests (a run over before its time is still right),
    unless `again` sends them again and again: to a server that stores nothing it is all one.
    """

    port: int
    connections: int
    elements: int
    seconds: float
    warm_up: float
    pool: int
    seed: int
    again: bool = False


class Measured(msgspec.Struct, frozen=True):
    """What one run saw. Times are in ms; `accepted` counts the warm-up too, `busy` is the load's own part of a core."""

    requests: int
    seconds: float
    p50: float
    p99: float
    errors: int
    accepted: int
    busy: float

    @property
    def rate(self) -> float:
        """Answered requests per second."""
        return self.requests / self.seconds


def entity_id(seed: int, number: int) -> str:
    """The id of entity `number` of a run: 17 lowercase hex digits."""
    return f"{seed:05x}{number:012x}"


def request(load: Load, number: int) -> bytes:
    """Request `number` of a run, as it goes over the wire."""
    first = number * load.elements
    body = msgspec.json.encode(
        [
            {"id": entity_id(load.seed, element), "name": f"Schriftsatz {element}.pdf"}
            for element in range(first, first + load.elements)
        ]
    )
    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    signature = base64.b64encode(f"{WEBHOOK_ID}:{digest}".encode()).decode()
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{load.port}\r\nUser-Agent: EspoCRM/9.3.10\r\n"
        f"Content-Type: application/json\r\nSignature: {signature}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
