"""The captured webhook requests (20_*): signatures, headers and payloads are the real EspoCRM's, byte for byte."""

import re
from base64 import b64decode

import msgspec
import pytest
from aiohttp import web

from bitbylaw.simulators.espocrm import EspoSimulator
from bitbylaw.simulators.espocrm.webhooks.signature import legacy_signature, signature
from bitbylaw.simulators.server import serve

from .bench import LISTENER, SYNC, Listener, Stage, bodies_by_path
from .capture import EXCHANGES, all_files
from .story import whole_story

_SECRET = re.compile(r"secretKey=([0-9a-f]{32})")
_LATE = frozenset({"20_webhook_CDokumente_update_batch.txt", "20_webhook_gone.txt"})
"""Requests that belong to no exchange of the story; they have tests of their own."""


class Hook(msgspec.Struct, frozen=True):
    """A captured webhook request; `secret` None where the capture did not know it."""

    path: str
    headers: dict[str, str]
    body: bytes
    secret: str | None


def _hook(file: str) -> Hook:
    text = (EXCHANGES / file).read_text(encoding="utf-8")
    secret = _SECRET.search(text)
    request = text.split(">>> REQUEST (EspoCRM -> listener)\n", 1)[1].split("\n\n<<< RESPONSE", 1)[0]
    head, _, body = request.partition("\n\n")
    first, *lines = head.split("\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return Hook(first.split(" ")[1], headers, body.encode(), secret[1] if secret else None)


FILES = [file for file in all_files() if file.startswith("20_")]
SIGNED = [file for file in FILES if _hook(file).secret is not None]


def test_every_captured_webhook_is_used() -> None:
    """Thirteen requests are captured, of which all but the one answered 410 come with their secret."""
    assert len(FILES) == 13
    assert set(FILES) - set(SIGNED) == {"20_webhook_gone.txt"}


@pytest.mark.parametrize("file", SIGNED)
def test_signatures_are_byte_identical(file: str) -> None:
    """Both headers follow from webhook id, secret and raw body exactly as EspoCRM computed them."""
    hook = _hook(file)
    webhook_id = b64decode(hook.headers["Signature"]).decode().partition(":")[0]
    assert signature(webhook_id, hook.secret or "", hook.body) == hook.headers["Signature"]
    assert legacy_signature(webhook_id, hook.secret or "", hook.body) == hook.headers["X-Signature"]


@pytest.mark.parametrize("file", [file for file in FILES if file not in _LATE])
def test_the_same_actions_send_the_same_body(file: str) -> None:
    """What the captured user did makes the simulator post the captured body to the captured path."""
    hook = _hook(file)
    assert hook.body in bodies_by_path(whole_story()[1])[hook.path]
    assert len(hook.body) == int(hook.headers["Content-Length"])


async def test_eight_quick_updates_arrive_as_the_captured_batch() -> None:
    """Eight updates make one POST with eight elements; the modifier is named where it was another one before."""
    hook = _hook("20_webhook_CDokumente_update_batch.txt")
    stage, listener = Stage(), Listener()
    async with EspoSimulator.running(stage.config()) as espo:
        espo.deliver_with(listener)
        stage.ids.append("6b04cd43a189d3089")
        espo.create("CDokumente", {"name": "Klageschrift.pdf"})
        espo.register_webhook("CDokumente.update", f"http://{LISTENER}{hook.path}", SYNC)
        for element in msgspec.json.decode(hook.body):
            # The capture's first five ran side by side, each seeing the administrator as the last modifier.
            before = "6b04cbc24cafd4e9b" if "modifiedById" in element else espo.users[SYNC].id
            espo.raw_change("CDokumente", element["id"], {"modifiedById": before})
            espo.update("CDokumente", element["id"], {"seiten": element["seiten"]}, SYNC)
        await espo.run_webhook_job()
        assert [post.body for post in listener.posts] == [hook.body]


async def test_the_update_that_was_answered_410_has_the_captured_body() -> None:
    """The bank account's update carries the changed attribute, the new modifier and the id."""
    hook = _hook("20_webhook_gone.txt")
    stage, listener = Stage(), Listener()
    sent = msgspec.json.decode(hook.body)[0]
    async with EspoSimulator.running(stage.config()) as espo:
        espo.deliver_with(listener)
        stage.ids.append(sent["id"])
        espo.create("Bankverbindungen", {"name": "Sparkasse"})
        espo.register_webhook("Bankverbindungen.update", f"http://{LISTENER}{hook.path}", SYNC)
        espo.update("Bankverbindungen", sent["id"], {"bank": sent["bank"]}, SYNC)
        await espo.run_webhook_job()
        assert [(post.path, post.body) for post in listener.posts] == [(hook.path, hook.body)]


async def test_over_the_wire_exactly_the_captured_headers_are_sent() -> None:
    """Host, Accept, Content-Type, Content-Length, Signature and X-Signature, and no other; the signature verifies."""
    hook = _hook("20_webhook_CDokumente_delete.txt")
    received: list[tuple[dict[str, str], bytes]] = []

    async def take(request: web.Request) -> web.Response:
        received.append((dict(request.headers), await request.read()))
        return web.Response(text="ok")

    receiver = web.Application()
    receiver.router.add_post("/hook", take)
    stage = Stage()
    async with serve(receiver) as server, EspoSimulator.running(stage.config(allow_loopback=True)) as espo:
        stage.ids.append("6b04cdcf1815b7b9a")
        document = espo.create("CDokumente", {"name": "kurz"})
        webhook_id, secret = espo.register_webhook("CDokumente.delete", f"{server.url}/hook", SYNC)
        espo.delete("CDokumente", document["id"])
        await espo.run_webhook_job()
    headers, body = received[0]
    assert body == hook.body
    assert set(headers) == set(hook.headers)
    assert {name: headers[name] for name in ("Accept", "Content-Type", "Content-Length")} == {
        name: hook.headers[name] for name in ("Accept", "Content-Type", "Content-Length")
    }
    assert headers["Signature"] == signature(webhook_id, secret, body)
    assert headers["X-Signature"] == legacy_signature(webhook_id, secret, body)
