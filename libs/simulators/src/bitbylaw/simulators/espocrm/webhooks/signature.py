"""How EspoCRM signs a webhook (reference 1, samples 20): over the raw body, keyed with the secret as it reads."""

import hashlib
import hmac
from base64 import b64encode


def signature(webhook_id: str, secret_key: str, body: bytes) -> str:
    """The header `Signature` of 9.0 and later: base64 of `webhookId:hex`."""
    return b64encode(f"{webhook_id}:{_mac(secret_key, body).hex()}".encode()).decode()


def legacy_signature(webhook_id: str, secret_key: str, body: bytes) -> str:
    """The header `X-Signature`, the only one before 9.0: base64 of `webhookId:` and the raw digest."""
    return b64encode(webhook_id.encode() + b":" + _mac(secret_key, body)).decode()


def _mac(secret_key: str, body: bytes) -> bytes:
    return hmac.new(secret_key.encode(), body, hashlib.sha256).digest()
