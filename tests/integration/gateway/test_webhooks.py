"""Webhooks over a real socket onto a real bus."""

import asyncio
import base64
import hashlib
import hmac
import json

import msgspec
import pytest
from tests.support.nats import NatsServer, lost, reached
from tests.support.recorded import Recorded, recorded_webhooks

from bitbylaw.common.bus.connection import Bus
from bitbylaw.gateway.settings import WebhookAuth

from .conftest import SECRETS, SETTINGS, Gateway, running

RECORDED = recorded_webhooks()
UPDATE = "/vmh/webhook/document/update"
WEBHOOK_ID, SECRET = SECRETS[0]


def signed(body: bytes, webhook_id: str = WEBHOOK_ID, secret: str = SECRET) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"Signature": base64.b64encode(f"{webhook_id}:{digest}".encode()).decode()}


def entity_id(number: int) -> str:
    return f"{number:017x}"


def batch(ids: list[object]) -> bytes:
    return json.dumps([{"id": i, "name": "Müller ./. Schmidt"} for i in ids]).encode()


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda r: r.name)
async def test_every_captured_webhook_is_accepted(gateway: Gateway, recorded: Recorded) -> None:
    """Byte for byte, with its own secret, under either header: 200, stored, nothing rejected."""
    for headers in ({"Signature": recorded.signature}, {"X-Signature": recorded.legacy_signature}):
        status, answer = await gateway.post(recorded.address, recorded.body, **headers)
        assert status == 200
        assert answer["status"] == "received"
        assert answer["rejected"] == []
    assert await gateway.stored("EVENTS") == answer["new_ids_count"]
    assert await gateway.stored("DEADLETTERS") == 0


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda r: r.name)
async def test_a_captured_webhook_that_was_touched_is_refused(gateway: Gateway, recorded: Recorded) -> None:
    """One changed byte, a wrong id, no header at all: 401, and nothing is published."""
    changed = bytearray(recorded.body)
    changed[len(changed) // 2] ^= 1
    foreign = signed(recorded.body, "6b04ccf3e2bf00000", recorded.secret)
    for body, headers in (
        (bytes(changed), {"Signature": recorded.signature}),
        (bytes(changed), {"X-Signature": recorded.legacy_signature}),
        (recorded.body, foreign),
        (recorded.body, {}),
    ):
        status, _ = await gateway.post(recorded.address, body, **headers)
        assert status == 401
    assert await gateway.stored("EVENTS") == 0
    assert await gateway.stored("DEADLETTERS") == 0


async def test_fifty_with_three_bad(gateway: Gateway) -> None:
    """200, 47 events, and 3 dead letters that say why without the element's data."""
    ids: list[object] = [entity_id(n) for n in range(50)]
    ids[3], ids[20], ids[49] = "not-an-id", None, 17
    body = batch(ids)
    status, answer = await gateway.post(UPDATE, body, **signed(body))
    assert status == 200
    assert (answer["new_ids_count"], answer["total_ids_in_batch"]) == (47, 50)
    assert [rejected["index"] for rejected in answer["rejected"]] == [3, 20, 49]  # type: ignore[attr-defined]
    assert await gateway.stored("EVENTS") == 47
    assert await gateway.stored("DEADLETTERS") == 3
    letter = await gateway.bus.js.get_msg("DEADLETTERS", 1)
    assert letter.subject == "dlq.vmh.document.update"
    content = msgspec.json.decode(letter.data or b"")
    assert content["error"] == "EventInvalid"
    assert "17 hex digits" in content["reason"]
    assert content["detail"]["index"] == 3
    assert b"M\\u00fcller" not in (letter.data or b"")
    assert "Müller" not in (letter.data or b"").decode()


async def test_ten_copies_are_one_waiting_event(gateway: Gateway) -> None:
    """In one body or in ten, copies of one webhook that wait together are one message."""
    one = batch([entity_id(1)])
    ten = batch([entity_id(1)] * 10)
    _, answer = await gateway.post(UPDATE, ten, **signed(ten))
    assert (answer["new_ids_count"], answer["total_ids_in_batch"]) == (1, 10)
    for _ in range(10):
        status, _ = await gateway.post(UPDATE, one, **signed(one))
        assert status == 200
    assert await gateway.stored("EVENTS") == 1


async def test_bus_stopped_then_back(nats_server: NatsServer, gateway: Gateway) -> None:
    """Without NATS the answer is 503; when the sender tries again after its return, nothing is lost."""
    body = batch([entity_id(n) for n in range(20)])
    nats_server.kill()
    status, answer = await gateway.post(UPDATE, body, **signed(body))
    assert status == 503
    assert "again" in str(answer["error"])
    nats_server.start()
    await reached(gateway.bus)
    status, _ = await gateway.post(UPDATE, body, **signed(body))
    assert status == 200
    assert await gateway.stored("EVENTS") == 20


async def test_acknowledged_events_survive_a_killed_server(nats_server: NatsServer, gateway: Gateway) -> None:
    """What was answered with 200 is on disk: a server killed right after has it when it is back."""
    bodies = [batch([entity_id(n)]) for n in range(100)]
    answers = await asyncio.gather(*(gateway.post(UPDATE, body, **signed(body)) for body in bodies))
    nats_server.kill()
    await lost(gateway.bus)
    nats_server.start()
    await reached(gateway.bus)
    assert {status for status, _ in answers} == {200}
    assert await gateway.stored("EVENTS") == 100


@pytest.mark.parametrize("body", [b"nonsense", b'"text"', b"5", b"[[[", b"\xff"])
async def test_a_signed_body_that_is_no_json_batch(gateway: Gateway, body: bytes) -> None:
    """400, since no repetition helps, with one dead letter that says so."""
    status, _ = await gateway.post(UPDATE, body, **signed(body))
    assert status == 400
    assert await gateway.stored("DEADLETTERS") == 1
    assert await gateway.stored("EVENTS") == 0


async def test_a_body_over_the_limit(gateway: Gateway) -> None:
    """Ten megabytes: 413, a dead letter if the sender is authentic, none if not; the next webhook is taken."""
    body = b"[" + b" " * 10_000_000 + b"]"
    status, _ = await gateway.post(UPDATE, body, **signed(body))
    assert status == 413
    assert await gateway.stored("DEADLETTERS") == 1
    status, _ = await gateway.post(UPDATE, body, **signed(body, secret="f" * 32))
    assert status in {401, 413}
    assert await gateway.stored("DEADLETTERS") == 1
    good = batch([entity_id(1)])
    status, _ = await gateway.post(UPDATE, good, **signed(good))
    assert status == 200


async def test_an_empty_batch_is_fine(gateway: Gateway) -> None:
    """An empty array is received, with nothing in it."""
    status, answer = await gateway.post(UPDATE, b"[]", **signed(b"[]"))
    assert (status, answer["new_ids_count"]) == (200, 0)


async def test_events_carry_no_data_of_the_entity(gateway: Gateway) -> None:
    """The stored message names the entity and nothing of its content, and continues the sender's trace."""
    body = batch([entity_id(1)])
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await gateway.post(UPDATE, body, **signed(body), traceparent=trace)
    stored = await gateway.bus.js.get_last_msg("EVENTS", f"vmh.document.update.{entity_id(1)}")
    assert json.loads(stored.data or b"") == {"entity_id": entity_id(1)}
    assert (stored.headers or {})["traceparent"].startswith("00-0af7651916cd43dd8448eb211c80319c-")
    assert (stored.headers or {})["ce-type"] == "vmh.document.update"


async def test_unknown_addresses_are_not_found(gateway: Gateway) -> None:
    """Another entity or action is 404, another method 405: EspoCRM would try again, nothing is lost by it."""
    body = batch([entity_id(1)])
    for path in ("/vmh/webhook/akte/update", "/vmh/webhook/document/frob"):
        async with gateway.session.post(gateway.url + path, data=body, headers=signed(body)) as answer:
            assert answer.status == 404
    async with gateway.session.get(gateway.url + UPDATE) as answer:
        assert answer.status == 405


async def test_api_keys_instead_of_signatures(bus: Bus) -> None:
    """With WEBHOOK_AUTH=api-key the right key opens, a wrong or missing one is 401."""
    settings = msgspec.structs.replace(SETTINGS, webhook_auth=WebhookAuth.API_KEY)
    async with running(bus, settings) as gateway:
        body = batch([entity_id(1)])
        assert (await gateway.post(UPDATE, body, **{"X-Api-Key": "a-key"}))[0] == 200
        assert (await gateway.post(UPDATE, body, **{"X-Api-Key": "b-key"}))[0] == 401
        assert (await gateway.post(UPDATE, body))[0] == 401


async def test_the_gateway_describes_itself(gateway: Gateway) -> None:
    """`GET /openapi.json` lists every webhook address of the Contract."""
    async with gateway.session.get(gateway.url + "/openapi.json") as answer:
        paths = (await answer.json())["paths"]
    assert len(paths) == 17
    assert UPDATE in paths
