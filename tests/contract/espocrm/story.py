"""The captured afternoon as one story: every exchange in the order it happened, and what happened between them unseen.

The files share one installation, so one simulator lives through all of them. `STORY` names the exchanges file by file,
in their order, and the hidden steps that the later samples presuppose (a second eviction, an uploaded file, …).
"""

import asyncio
import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from functools import cache

import msgspec

from bitbylaw.simulators.espocrm import EspoSimulator

from .bench import LISTENER, SIGNING_SECRET, SYNC, Listener, Post, Stage
from .capture import Exchange, exchanges_of
from .wire import Answer, send

DOCUMENT = "6b04cd43a189d3089"
EVICTION = "6b04cd4365475cb53"
SECOND, THIRD = "6b04cdc9a5bae77b1", "6b04cdc9ae10d896b"
PARTY = "6b04cd437d6fad2e8"
BANK_ACCOUNT = "6b04cd438a57f4049"
FIRST_MOMENT = 1795476734.0
"""2026-11-23 23:32:14 UTC, when the webhooks of the capture were registered."""
WEBHOOK_IDS = {
    "CDokumente.create": "6b04ccf34d5dcd07f",
    "CDokumente.update": "6b04ccf3e2bf06b8c",
    "CDokumente.delete": "6b04ccf48508e1d0e",
    "CBeteiligte.create": "6b04ccf6c97639ca9",
    "CBeteiligte.delete": "6b04ccf86b9e323e6",
    "Account.create": "6b04ccfb2549b5291",
    "CDokumente.fieldUpdate.fileStatus": "6b04ccfcee769f7ed",
}
EXTRA_IDS = {("02_create.txt", 4): ["6b04cd43a34b6c808"]}
"""Ids of what a request makes besides its record: here the stream's note about the document."""

Hidden = Callable[[EspoSimulator, Stage], None]
Step = tuple[str, range] | Hidden


class Played(msgspec.Struct, frozen=True):
    """An exchange with what the simulator answered and fired."""

    exchange: Exchange
    answer: Answer
    posts: list[Post]


def webhooks_registered(simulator: EspoSimulator, stage: Stage) -> None:
    """The eighteen webhooks that existed before anything else (sample 13 counts them)."""
    entities = ("CDokumente", "Raeumungsklage", "CBeteiligte", "Bankverbindungen", "Account")
    events = [f"{entity}.{kind}" for entity in entities for kind in ("create", "update", "delete")]
    fields = ("CDokumente.fieldUpdate.fileStatus", "CDokumente.fieldUpdate.raeumungsklages")
    for number, event in enumerate([*events, *fields]):
        stage.ids.append(WEBHOOK_IDS.get(event, f"6b04ccf{number:x}000000000"[:17]))
        entity, _, kind = event.partition(".")
        simulator.register_webhook(event, f"http://{LISTENER}/hook/{entity}/{kind}", SYNC)
    stage.ids.append("6b04ccfe2cd5a6b93")
    url = f"http://{LISTENER}/hook/skipown/CDokumente/update"
    simulator.register_webhook("CDokumente.update", url, SYNC, skip_own=True)


def account_made(simulator: EspoSimulator, stage: Stage) -> None:
    """The client, made between the eviction and the party."""
    stage.ids.append("6b04cd4370b812f99")
    simulator.create("Account", {"name": "Mandant GmbH"}, SYNC)


def second_day_records(simulator: EspoSimulator, stage: Stage) -> None:
    """Two more evictions and a bank account without an owner, made just before sample 11."""
    for record_id, name in ((SECOND, "RK 2"), (THIRD, "RK 3")):
        stage.ids.extend([record_id, stage.make_id()])
        simulator.create("Raeumungsklage", {"name": name}, SYNC)
    stage.ids.append("6b04cdc9b5db5b4c8")
    simulator.create("Bankverbindungen", {"name": "BV ohne Beteiligten", "iban": "DE1"}, SYNC)


def new_file_uploaded(simulator: EspoSimulator, stage: Stage) -> None:
    """The file that replaces the first one."""
    stage.ids.append("6b04cdcd3388f72a7")
    upload = {"name": "neu.txt", "type": "text/plain", "relatedType": "CDokumente", "field": "dokument"}
    content = {"file": f"data:text/plain;base64,{b64encode(b'neu').decode()}"}
    user = simulator.users[SYNC]
    simulator.core.records.create(user, "Attachment", {**upload, **content})


def short_lived_document_made(simulator: EspoSimulator, stage: Stage) -> None:
    """The document that sample 11 deletes and restores."""
    stage.ids.append("6b04cdcf1815b7b9a")
    simulator.create("CDokumente", {"name": "kurz"}, SYNC)


def trials_left_their_mark(simulator: EspoSimulator, stage: Stage) -> None:
    """What eight parallel PUTs, sample 13's temporary webhooks and the installed hook left behind for sample 14."""
    del stage
    simulator.raw_change("CDokumente", DOCUMENT, {"seiten": 1022, "versionNumber": 22})
    simulator.raw_change("CDokumente", DOCUMENT, {"modifiedById": simulator.users[SYNC].id})
    simulator.unlink("CDokumente", DOCUMENT, "raeumungsklages", EVICTION)
    simulator.unlink("CBeteiligte", PARTY, "bankverbindungens", BANK_ACCOUNT)
    for webhook_id in ("6b04ce4a98438b31c", "6b04ce4ac5d2525ce"):
        simulator.delete("Webhook", webhook_id, SYNC)
    simulator.install_link_hook()
    for entity in ("CDokumente", "Raeumungsklage", "CBeteiligte"):
        for kind in ("link", "unlink"):
            simulator.register_webhook(f"{entity}.{kind}", f"http://{LISTENER}/hook/{entity}/{kind}", SYNC)


STORY: tuple[Step, ...] = (
    webhooks_registered,
    ("02_create.txt", range(1, 2)),
    account_made,
    ("02_create.txt", range(2, 4)),
    ("05_attachment.txt", range(1, 2)),
    ("02_create.txt", range(4, 5)),
    ("05_attachment.txt", range(2, 12)),
    ("01_read.txt", range(1, 3)),
    ("03_update_version.txt", range(1, 9)),
    ("04_list.txt", range(1, 17)),
    ("06_errors.txt", range(1, 25)),
    ("07_delete.txt", range(1, 4)),
    ("08_auth.txt", range(1, 7)),
    ("09_meta.txt", range(1, 5)),
    ("10_stream.txt", range(1, 3)),
    second_day_records,
    ("11_link_unlink.txt", range(1, 17)),
    new_file_uploaded,
    ("11_link_unlink.txt", range(17, 24)),
    short_lived_document_made,
    ("11_link_unlink.txt", range(24, 27)),
    ("13_webhook_api.txt", range(1, 15)),
    trials_left_their_mark,
    ("14_link_with_custom_hook.txt", range(1, 10)),
    ("06_errors.txt", range(25, 26)),
    ("05_attachment.txt", range(12, 18)),
)


@cache
def whole_story() -> tuple[list[Played], list[Post]]:
    """The story, played once for all tests, in a loop of its own."""
    return asyncio.run(play())


async def play() -> tuple[list[Played], list[Post]]:
    """Live through the story; return the exchanges as they went, and every webhook that was fired."""
    stage, listener = Stage(FIRST_MOMENT), Listener()
    played: list[Played] = []
    fired: list[Post] = []
    async with EspoSimulator.running(stage.config()) as simulator:
        simulator.deliver_with(listener)
        for place, step in enumerate(STORY):
            if not isinstance(step, tuple):
                stage.now = _next_moment(place)
                step(simulator, stage)
                fired += await _delivered(simulator, listener)
                continue
            for number in step[1]:
                exchange = exchanges_of(step[0])[number - 1]
                played.append(await _one(simulator, stage, listener, exchange))
                fired += played[-1].posts
    return played, fired


def _next_moment(place: int) -> float:
    """The time of a hidden step: that of the exchange it prepares; the first comes long before."""
    if place == 0:
        return FIRST_MOMENT
    following = next(step for step in STORY[place:] if isinstance(step, tuple))
    return exchanges_of(following[0])[following[1].start - 1].started


async def _one(simulator: EspoSimulator, stage: Stage, listener: Listener, exchange: Exchange) -> Played:
    stage.now = exchange.finished
    _expect_ids(stage, exchange)
    if "10 failed logins" in exchange.title:
        await _fail_to_log_in(simulator, exchange)
    headers, body = _signed_anew(exchange), _unclipped(exchange)
    answer = await send(simulator.url, exchange.method, exchange.target, headers, body)
    stage.ids.clear()
    stage.secrets.clear()
    return Played(exchange=exchange, answer=answer, posts=await _delivered(simulator, listener))


def _expect_ids(stage: Stage, exchange: Exchange) -> None:
    """Let the simulator draw the id and the secret that EspoCRM drew."""
    response = exchange.response
    if exchange.method != "POST" or response.status >= 400 or not response.body.startswith(b'{"id"'):
        return
    made = json.loads(response.body)
    stage.ids.extend([made["id"], *EXTRA_IDS.get((exchange.file, exchange.number), [])])
    if "secretKey" in made:
        stage.secrets.append(made["secretKey"])


async def _fail_to_log_in(simulator: EspoSimulator, exchange: Exchange) -> None:
    headers = {**exchange.headers, "X-Api-Key": "wrong"}
    for _ in range(11):
        await send(simulator.url, exchange.method, exchange.target, headers, b"")


async def _delivered(simulator: EspoSimulator, listener: Listener) -> list[Post]:
    while await simulator.run_webhook_job():
        pass
    return listener.take()


def _signed_anew(exchange: Exchange) -> dict[str, str]:
    """The captured headers; a signed key is signed again, because the capture does not hold that user's secret.

    What was signed, and whether as hex or as raw bytes, is as captured; a wrong signature stays wrong.
    """
    header = exchange.headers.get("X-Hmac-Authorization")
    if header is None or "wrong" in exchange.title:
        return exchange.headers
    key, _, digest = b64decode(header).partition(b":")
    path = exchange.target.removeprefix("/api/v1").partition("?")[0]
    mac = hmac.new(SIGNING_SECRET.encode(), f"{exchange.method} {path}".encode(), hashlib.sha256)
    proof = mac.digest() if len(digest) == mac.digest_size else mac.hexdigest().encode()
    return {**exchange.headers, "X-Hmac-Authorization": b64encode(key + b":" + proof).decode()}


def _unclipped(exchange: Exchange) -> bytes:
    """The captured body; where the file holds only its beginning, zeros stand for the rest of the file's content."""
    if exchange.clipped is None:
        return exchange.body
    envelope = b";base64,"
    head = exchange.body[: exchange.body.index(envelope) + len(envelope)]
    tail = b'"}' if head.startswith(b"{") else b""
    filler = b"A" * (exchange.clipped - len(head) - len(tail))
    if head.startswith(b"data:"):
        return head + _padded(filler)
    return head + filler + tail


def _padded(filler: bytes) -> bytes:
    """Base64 of 200,000 and 100,000 bytes ends in padding; so does its stand-in."""
    content = {266668: 200_000, 133336: 100_000}[len(filler)]
    return b64encode(b"\0" * content)
