"""The webhooks that were captured from a running EspoCRM, byte for byte, each with its own secret."""

import base64
import re
from pathlib import Path

import msgspec

EXCHANGES = Path(__file__).parents[1] / "contract" / "espocrm" / "exchanges"

#: EspoCRM's entity types and the words of our addresses.
WORDS = {
    "CDokumente": "document",
    "CBeteiligte": "beteiligte",
    "Raeumungsklage": "raeumungsklage",
    "Account": "account",
}


class Recorded(msgspec.Struct, frozen=True):
    """One captured webhook: its secret, its headers and body, and the address of ours it belongs to."""

    name: str
    secret: str
    signature: str
    legacy_signature: str
    body: bytes
    address: str

    @property
    def webhook_id(self) -> str:
        """The id inside the signature."""
        return base64.b64decode(self.signature).split(b":")[0].decode()


def recorded_webhooks() -> list[Recorded]:
    """All captured webhooks whose secret is known."""
    found = []
    for path in sorted(EXCHANGES.glob("20_webhook_*.txt")):
        text = path.read_bytes()
        secret = re.search(rb"secretKey=([0-9a-f]{32})", text)
        if secret is None:
            continue
        head, _, rest = text.partition(b"\r\n\r\n")
        length = int(_header(head, b"Content-Length"))
        found.append(
            Recorded(
                name=path.stem.removeprefix("20_webhook_"),
                secret=secret[1].decode(),
                signature=_header(head, b"Signature"),
                legacy_signature=_header(head, b"X-Signature"),
                body=rest[:length],
                address=_address(path.stem.removeprefix("20_webhook_")),
            )
        )
    return found


def _header(head: bytes, name: bytes) -> str:
    match = re.search(rb"^" + name + rb": (.*)$", head, re.MULTILINE)
    assert match is not None
    return match[1].decode().strip()


def _address(name: str) -> str:
    entity, action = name.split("_")[:2]
    if action in {"link", "unlink"}:
        return f"/vmh/webhook/entity/{action}?entityType={entity}"
    return f"/vmh/webhook/{WORDS[entity]}/{'update' if action.startswith('fieldUpdate') else action}"
