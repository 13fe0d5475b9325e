"""How the webhook job delivers, retries and gives up (sample 12); the clock is moved, nothing sleeps."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from bitbylaw.simulators.espocrm import EspoSimulator, EspoUser
from bitbylaw.simulators.espocrm.records import RecordService
from bitbylaw.simulators.espocrm.store import Record
from bitbylaw.simulators.espocrm.webhooks.queue import ItemStatus
from bitbylaw.simulators.server import serve

from .bench import LISTENER, OTHER, SYNC, Listener, Stage
from .capture import EXCHANGES

TEN_MINUTES = 600.0
HOOK = f"http://{LISTENER}/hook/Raeumungsklage/update"
_ROW = re.compile(
    r"== listener answers (\d+) ; deliveries now: 1\n\+.*\n\| number .*\n\+.*\n"
    r"\| +\d+ \| Raeumungsklage.update \| (\w+) +\| +(\d+) \| (\S+)"
)


def _result_table() -> list[tuple[int, str, int, bool]]:
    """The rows of sample 12: the listener's answer, then the item's status, its attempts and whether it waits."""
    text = (EXCHANGES / "12_webhook_delivery_behaviour.txt").read_text()
    return [(int(code), status, int(attempts), at != "NULL") for code, status, attempts, at in _ROW.findall(text)]


class Scene:
    """An eviction, a webhook for its updates, and a listener."""

    def __init__(self, espo: EspoSimulator, stage: Stage, listener: Listener) -> None:
        self.espo = espo
        self.stage = stage
        self.listener = listener
        self.eviction = espo.create("Raeumungsklage", {"name": "RK"}, SYNC)["id"]
        espo.raw_change("Raeumungsklage", self.eviction, {"modifiedById": espo.users[SYNC].id})

    def update(self, value: str, user: str = SYNC) -> None:
        """Change the file number."""
        self.espo.update("Raeumungsklage", self.eviction, {"aktenzeichen": value}, user)

    def bodies(self) -> list[str]:
        """The file numbers each POST since the last time carried."""
        return [" ".join(re.findall(r'"aktenzeichen":"([^"]*)"', post.body.decode())) for post in self.listener.take()]


@asynccontextmanager
async def _scene(url: str = HOOK, **webhooks: object) -> AsyncIterator[Scene]:
    stage, listener = Stage(), Listener()
    async with EspoSimulator.running(stage.config(**webhooks)) as espo:
        espo.register_webhook("Raeumungsklage.update", url, SYNC)
        scene = Scene(espo, stage, listener)
        if url == HOOK:
            espo.deliver_with(listener)
        yield scene


@pytest.mark.parametrize(("code", "status", "attempts", "waits"), _result_table())
async def test_each_answer_has_its_captured_effect(code: int, status: str, attempts: int, waits: bool) -> None:  # noqa: FBT001 - a column of the table
    """Success up to 399, a retry after ten minutes for some failures, Failed at once for the others (a real socket)."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=code)

    receiver = web.Application()
    receiver.router.add_post("/hook", answer)
    async with serve(receiver) as server, _scene(f"{server.url}/hook", allow_loopback=True) as scene:
        scene.update("AZ")
        made = await scene.espo.run_webhook_job()
        item = scene.espo.webhook_items[0]
        expected_at = scene.stage.now + TEN_MINUTES if waits else None
        assert [(delivery.code, delivery.count) for delivery in made] == [(code, 1)]
        assert (item.status.value, item.attempts, item.process_at) == (status, attempts, expected_at)


def test_the_table_is_the_captured_one() -> None:
    """Every answer of the capture is in the table: eighteen."""
    text = (EXCHANGES / "12_webhook_delivery_behaviour.txt").read_text()
    assert len(_result_table()) == text.count("== listener answers ") == 18


async def test_a_failed_batch_is_overtaken_and_delivered_later() -> None:
    """FIRST fails and waits ten minutes; SECOND arrives before it; the retry brings FIRST as it was."""
    async with _scene() as scene:
        scene.listener.answer = lambda _url: 503
        scene.update("FIRST")
        await scene.espo.run_webhook_job()
        scene.listener.answer = lambda _url: 200
        scene.update("SECOND")
        await scene.espo.run_webhook_job()
        assert scene.bodies() == ["FIRST", "SECOND"]
        scene.stage.now += TEN_MINUTES - 1
        assert await scene.espo.run_webhook_job() == []
        scene.stage.now += 1
        await scene.espo.run_webhook_job()
        assert scene.bodies() == ["FIRST"]
        assert [(i.status.value, i.attempts) for i in scene.espo.webhook_items] == [("Success", 2), ("Success", 1)]


async def test_what_waited_is_sent_together_in_the_order_of_the_events() -> None:
    """Items that failed in different runs share one POST when they are due, oldest first."""
    async with _scene() as scene:
        scene.listener.answer = lambda _url: 500
        for value in ("A", "B", "C"):
            scene.update(value)
            await scene.espo.run_webhook_job()
        scene.listener.take()
        scene.stage.now += TEN_MINUTES
        await scene.espo.run_webhook_job()
        assert scene.bodies() == ["A B C"]


async def test_the_fourth_failure_is_the_last() -> None:
    """Four attempts ten minutes apart, then Failed for good, as captured run by run."""
    captured = re.findall(
        r"attempt run \d deliveries (\d) .*?\| (\w+) +\| +(\d) ",
        (EXCHANGES / "12_webhook_delivery_behaviour.txt").read_text(),
    )
    async with _scene() as scene:
        scene.listener.answer = lambda _url: 503
        scene.update("EXHAUST")
        seen = []
        for _ in captured:
            made = await scene.espo.run_webhook_job()
            item = scene.espo.webhook_items[0]
            seen.append((str(len(made)), item.status.value, str(item.attempts)))
            scene.stage.now += TEN_MINUTES
        assert seen == captured
        assert scene.espo.webhook_items[0].process_at is None


async def test_a_listener_that_does_not_answer_in_time_is_retried() -> None:
    """A timeout counts as 408: Pending, one attempt, although the listener has the batch."""
    taken, release = asyncio.Event(), asyncio.Event()

    async def hang(_request: web.Request) -> web.Response:
        taken.set()
        await release.wait()
        return web.Response()

    receiver = web.Application()
    receiver.router.add_post("/hook", hang)
    async with serve(receiver) as server, _scene(f"{server.url}/hook", allow_loopback=True, timeout=0.05) as scene:
        scene.update("TIMEOUT")
        made = await scene.espo.run_webhook_job()
        release.set()
        item = scene.espo.webhook_items[0]
        assert taken.is_set()
        assert made[0].code == 408
        assert (item.status, item.attempts, item.process_at) == (
            ItemStatus.PENDING,
            1,
            scene.stage.now + TEN_MINUTES,
        )


async def test_a_refused_connection_is_retried() -> None:
    """Nobody listens on an allowed address: code 0, Pending, one attempt."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    async with _scene(f"http://127.0.0.1:{free}/hook", allow_loopback=True) as scene:
        scene.update("REFUSED")
        made = await scene.espo.run_webhook_job()
        item = scene.espo.webhook_items[0]
        assert made[0].code == 0
        assert (item.status, item.attempts, item.process_at) == (
            ItemStatus.PENDING,
            1,
            scene.stage.now + TEN_MINUTES,
        )


async def test_a_url_that_is_no_longer_allowed_fails_at_once() -> None:
    """An internal address that left the allow list is not sent to: Failed, one attempt, no retry."""
    async with _scene() as scene:
        scene.espo.forbid_webhook_address(LISTENER)
        scene.update("X")
        made = await scene.espo.run_webhook_job()
        item = scene.espo.webhook_items[0]
        assert made[0].code is None
        assert (item.status, item.attempts, item.process_at) == (ItemStatus.FAILED, 1, None)
        assert scene.listener.posts == []


async def test_130_updates_take_seven_runs() -> None:
    """The job takes twenty events per run: 20 six times, then 10, then nothing, each in one POST, as captured."""
    captured = re.findall(
        r"run \d POSTs \d items per POST \[(\d*)\]", (EXCHANGES / "12_webhook_delivery_behaviour.txt").read_text()
    )
    async with _scene() as scene:
        for number in range(130):
            scene.update(f"AZ {number}")
        assert scene.espo.waiting_events == 130
        runs = [await scene.espo.run_webhook_job() for _ in captured]
        counts = [" ".join(str(delivery.count) for delivery in made) for made in runs]
        assert counts == captured == ["20"] * 6 + ["10", "", ""]


async def test_a_post_carries_fifty_elements_at_most() -> None:
    """With a larger event portion one webhook still gets fifty per run; the rest waits for the next."""
    async with _scene(event_portion=200) as scene:
        for number in range(120):
            scene.update(f"{number}")
        runs = [await scene.espo.run_webhook_job() for _ in range(4)]
        assert [[delivery.count for delivery in made] for made in runs] == [[50], [50], [20], []]


async def test_410_deletes_the_webhook_with_its_queue() -> None:
    """The webhook is gone, what waited for it too, and later events are not queued for anyone."""
    async with _scene() as scene:
        scene.listener.answer = lambda _url: 410
        scene.update("LAST")
        await scene.espo.run_webhook_job()
        assert [record.deleted for record in scene.espo.core.store.tables["Webhook"].records.values()] == [True]
        assert scene.espo.webhook_items == []
        scene.update("NOBODY")
        assert scene.espo.waiting_events == 0


async def test_skip_own_covers_what_a_formula_does_in_the_same_request() -> None:
    """A formula that changes a document inside svc-sync's save is svc-sync's own; inside svc-other's it is not."""

    def cascade(service: RecordService, user: EspoUser, record: Record, data: Mapping[str, Any]) -> None:
        del data
        service.update(user, "CDokumente", document, {"xaiSyncError": record.get("name") + user.user_name})

    async with _scene() as scene:
        document = scene.espo.create("CDokumente", {"name": "d"}, SYNC)["id"]
        base = f"http://{LISTENER}/hook"
        scene.espo.register_webhook("CDokumente.update", f"{base}/CDokumente/update", SYNC)
        scene.espo.register_webhook("CDokumente.update", f"{base}/skipown/CDokumente/update", SYNC, skip_own=True)
        scene.espo.add_formula("Raeumungsklage", cascade)
        fired = []
        for user in (SYNC, OTHER):
            scene.update(f"by {user}", user)
            await scene.espo.run_webhook_job()
            fired.append([post.path for post in scene.listener.take()])
        all_of_them = ["/hook/CDokumente/update", "/hook/skipown/CDokumente/update", "/hook/Raeumungsklage/update"]
        assert fired == [[all_of_them[0], all_of_them[2]], all_of_them]


async def test_created_changed_and_deleted_before_one_run_fires_three() -> None:
    """Each webhook gets its own event, frozen when it happened, although the record is deleted by then."""
    async with _scene() as scene:
        for kind in ("create", "update", "delete"):
            scene.espo.register_webhook(f"CDokumente.{kind}", f"http://{LISTENER}/hook/CDokumente/{kind}", SYNC)
        document = scene.espo.create("CDokumente", {"name": "kurz"}, SYNC)["id"]
        scene.espo.update("CDokumente", document, {"name": "kurz2"}, SYNC)
        scene.espo.delete("CDokumente", document, SYNC)
        await scene.espo.run_webhook_job()
        posts = scene.listener.take()
        modifier = f'"modifiedById":"{scene.espo.users[SYNC].id}","modifiedByName":"svc-sync"'
        assert posts[0].body.startswith(f'[{{"id":"{document}","name":"kurz","deleted":false,'.encode())
        assert [post.body.decode() for post in posts[1:]] == [
            f'[{{"name":"kurz2",{modifier},"id":"{document}"}}]',
            f'[{{"id":"{document}"}}]',
        ]


async def test_a_save_without_a_change_fires_nothing_but_bumps_the_version() -> None:
    """The version and the time of change move, no event is queued."""
    async with _scene() as scene:
        scene.espo.register_webhook("CDokumente.update", HOOK, SYNC)
        before = scene.espo.create("CDokumente", {"name": "d", "seiten": 3}, SYNC)
        scene.stage.now += 100
        after = scene.espo.update("CDokumente", before["id"], {"seiten": 3}, OTHER)
        assert after["versionNumber"] == before["versionNumber"] + 1
        assert after["modifiedAt"] > before["modifiedAt"]
        assert scene.espo.waiting_events == 0


async def test_the_owner_must_be_able_to_read_what_is_delivered() -> None:
    """A row that was removed for good is dropped silently; the rest of the batch is delivered."""
    async with _scene() as scene:
        doomed = scene.espo.create("Raeumungsklage", {"name": "weg"}, SYNC)["id"]
        scene.espo.update("Raeumungsklage", doomed, {"aktenzeichen": "GONE"}, SYNC)
        scene.update("STAYS")
        del scene.espo.core.store.tables["Raeumungsklage"].records[doomed]
        await scene.espo.run_webhook_job()
        assert scene.bodies() == ["STAYS"]
