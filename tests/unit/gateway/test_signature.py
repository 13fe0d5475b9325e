"""EspoCRM's signature, held against what a running EspoCRM sent."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.recorded import Recorded, recorded_webhooks

from bitbylaw.gateway.signature import SignatureCheck, secrets_by_id

RECORDED = recorded_webhooks()


def holds(headers: dict[str, str], body: bytes, pairs: list[tuple[str, str]]) -> bool:
    check = SignatureCheck(headers, secrets_by_id(pairs))
    for start in range(0, len(body), 100):
        check.update(body[start : start + 100])
    return check.holds()


def test_the_captures_are_there() -> None:
    """Twelve captured webhooks have a known secret: creates, updates, a batch, deletes, links, unlinks."""
    assert len(RECORDED) == 12


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda r: r.name)
def test_both_headers_of_every_capture_hold(recorded: Recorded) -> None:
    """Each header alone proves the captured body, read in pieces, with the webhook's own secret."""
    pairs = [(recorded.webhook_id, recorded.secret)]
    assert holds({"Signature": recorded.signature}, recorded.body, pairs)
    assert holds({"X-Signature": recorded.legacy_signature}, recorded.body, pairs)


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda r: r.name)
def test_one_changed_bit_of_the_body_breaks_it(recorded: Recorded) -> None:
    """Any one changed byte of the body, wherever it is, breaks both headers."""
    pairs = [(recorded.webhook_id, recorded.secret)]
    for place in range(0, len(recorded.body), max(len(recorded.body) // 20, 1)):
        body = bytearray(recorded.body)
        body[place] ^= 1
        assert not holds({"Signature": recorded.signature}, bytes(body), pairs)
        assert not holds({"X-Signature": recorded.legacy_signature}, bytes(body), pairs)


def test_secrets_belong_to_one_webhook_id() -> None:
    """The right secret under another webhook's id proves nothing; an unknown id neither."""
    one = RECORDED[0]
    assert not holds({"Signature": one.signature}, one.body, [("6b04ccf3e2bf00000", one.secret)])
    assert not holds({"Signature": one.signature}, one.body, [])


def test_a_new_secret_beside_the_old_one() -> None:
    """While a secret is replaced, the id stands twice and either secret is accepted."""
    one = RECORDED[0]
    pairs = [(one.webhook_id, "f" * 32), (one.webhook_id, one.secret)]
    assert holds({"Signature": one.signature}, one.body, pairs)


def test_a_broken_signature_is_not_saved_by_the_legacy_one() -> None:
    """When both headers are there, `Signature` decides."""
    one = RECORDED[0]
    broken = base64.b64encode(base64.b64decode(one.signature)[:-1] + b"0").decode()
    if broken == one.signature:
        broken = base64.b64encode(base64.b64decode(one.signature)[:-1] + b"1").decode()
    headers = {"Signature": broken, "X-Signature": one.legacy_signature}
    assert not holds(headers, one.body, [(one.webhook_id, one.secret)])


@given(st.text(max_size=200), st.sampled_from(["Signature", "X-Signature"]))
def test_anything_else_in_the_header_is_refused_quietly(value: str, header: str) -> None:
    """Whatever stands in the header, the check says no and never raises."""
    one = RECORDED[0]
    assert not holds({header: value}, one.body, [(one.webhook_id, one.secret)])


@given(st.binary(max_size=100))
def test_any_digest_under_a_known_id_is_refused(digest: bytes) -> None:
    """A claim of a known webhook with any bytes for a digest is refused and never raises."""
    one = RECORDED[0]
    value = base64.b64encode(one.webhook_id.encode() + b":" + digest).decode()
    pairs = [(one.webhook_id, one.secret)]
    assert not holds({"Signature": value}, b"[]", pairs)
    assert not holds({"X-Signature": value}, b"[]", pairs)
