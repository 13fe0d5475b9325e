"""EspoCRM's webhook signature, checked over the raw bytes as they arrive.

Source: reference espocrm.md, 1 (verified on a running 9.3.10). `Signature` is base64 of `webhookId:hex(hmac)`; the
older `X-Signature`, the only one before 9.0, is base64 of `webhookId:raw hmac`. HMAC is SHA-256 keyed with the secret's
ASCII.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence

import msgspec

SIGNATURE = "Signature"
LEGACY_SIGNATURE = "X-Signature"

Secrets = Mapping[str, Sequence[bytes]]


class Claim(msgspec.Struct, frozen=True):
    """What a request claims: which webhook sent it, and the digest its secret gives the body."""

    webhook_id: str
    digest: bytes


def secrets_by_id(pairs: Sequence[tuple[str, str]]) -> Secrets:
    """Configured `(webhookId, secret)` pairs by id; an id may have several secrets while one replaces another."""
    found: dict[str, list[bytes]] = {}
    for webhook_id, secret in pairs:
        found.setdefault(webhook_id, []).append(secret.encode())
    return found


def read_claim(headers: Mapping[str, str]) -> Claim | None:
    """The claim of a request, None if it makes none that can be read.

    `Signature` counts alone when it is there: a broken one is not saved by an intact legacy header beside it.
    """
    current, legacy = headers.get(SIGNATURE), headers.get(LEGACY_SIGNATURE)
    if current is not None:
        webhook_id, digest = _split(current)
        try:
            return Claim(webhook_id, bytes.fromhex(digest.decode("ascii"))) if webhook_id else None
        except ValueError:
            return None
    if legacy is not None:
        webhook_id, digest = _split(legacy)
        return Claim(webhook_id, digest) if webhook_id else None
    return None


def _split(header: str) -> tuple[str, bytes]:
    try:
        decoded = base64.b64decode(header, validate=True)
        webhook_id, colon, digest = decoded.partition(b":")
        return (webhook_id.decode("ascii"), digest) if colon else ("", b"")
    except (binascii.Error, ValueError):
        return "", b""


class SignatureCheck:
    """Checks one request while its body streams in, without keeping the body."""

    def __init__(self, headers: Mapping[str, str], secrets: Secrets) -> None:
        self.claim = read_claim(headers)
        known = secrets.get(self.claim.webhook_id, ()) if self.claim else ()
        self._macs = [hmac.new(secret, digestmod="sha256") for secret in known]

    def update(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        for mac in self._macs:
            mac.update(chunk)

    def holds(self) -> bool:
        """Whether the whole body was signed with one of the secrets of the webhook it claims."""
        claim = self.claim
        if claim is None:
            return False
        # Every secret is compared, in constant time each: how long it takes tells nothing.
        matches = [hmac.compare_digest(mac.digest(), claim.digest) for mac in self._macs]
        return any(matches)
