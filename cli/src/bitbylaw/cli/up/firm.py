"""The small law firm in the EspoCRM simulator: its webhooks point at our gateway, its people create the documents."""

import asyncio
from pathlib import Path

import aiohttp
import msgspec

from bitbylaw.cli.up.layout import Layout
from bitbylaw.cli.up.services import SYNC_KEY
from bitbylaw.simulators.firm import law_firm, load

#: A colleague's key in the simulator: what the product's own user writes fires no webhook (skipOwn).
PERSON_KEY = "other-key"

#: EspoCRM's entity types and the words of our addresses.
WEBHOOKS = {"CDokumente": "document", "Raeumungsklage": "raeumungsklage", "Account": "account"}
ACTIONS = ("create", "update", "delete")


class Webhook(msgspec.Struct, frozen=True):
    """A registered webhook, with the secret EspoCRM made for it."""

    id: str
    event: str
    url: str
    secretKey: str  # noqa: N815  (EspoCRM's name)


async def register_webhooks(layout: Layout) -> str:
    """Register what is missing; ESPOCRM_WEBHOOK_SECRETS for the gateway.

    EspoCRM tells a secret only once, so what was registered is kept beside the simulator's state.
    """
    kept = layout.data / "webhooks.json"
    known = {(hook.event, hook.url): hook for hook in _read(kept)}
    async with aiohttp.ClientSession(headers={"X-Api-Key": SYNC_KEY}, raise_for_status=True) as session:
        present = await _present_ids(session, layout)
        hooks = []
        for entity_type, word in WEBHOOKS.items():
            for action in ACTIONS:
                event, url = f"{entity_type}.{action}", f"{layout.gateway_url}/vmh/webhook/{word}/{action}"
                hook = known.get((event, url))
                if hook is None or hook.id not in present:
                    hook = await _register(session, layout, event, url)
                hooks.append(hook)
        for stale in present - {hook.id for hook in hooks}:
            await session.delete(f"{layout.espocrm_url}/Webhook/{stale}")
    kept.write_bytes(msgspec.json.encode(hooks))
    return ",".join(f"{hook.id}:{hook.secretKey}" for hook in hooks)


async def load_firm(layout: Layout) -> int:
    """Have a person create the firm's records and documents; how many documents it has. What is there stays."""
    firm = await asyncio.to_thread(law_firm)  # draws PDFs: seconds of work that must not stop the display
    await load(firm, layout.espocrm_url, PERSON_KEY)
    return len(firm.documents)


async def _present_ids(session: aiohttp.ClientSession, layout: Layout) -> set[str]:
    async with session.get(f"{layout.espocrm_url}/Webhook?select=id&maxSize=200") as answer:
        listed = await answer.json()
    return {record["id"] for record in listed["list"]}


async def _register(session: aiohttp.ClientSession, layout: Layout, event: str, url: str) -> Webhook:
    body = {"event": event, "url": url, "skipOwn": True}
    async with session.post(f"{layout.espocrm_url}/Webhook", json=body) as answer:
        return msgspec.json.decode(await answer.read(), type=Webhook)


def _read(path: Path) -> list[Webhook]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Webhook])
    except (OSError, msgspec.DecodeError):
        return []
