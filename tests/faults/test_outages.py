"""Upstreams that are away, busy or guarded."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.support.documents import Firm, running
from tests.support.services import Process, eventually

from bitbylaw.simulators.faults import FaultKind, FaultRule, RequestEntry

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def firm(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Firm]:
    """A firm without a worker: breakers and pauses of one test must not reach into the next."""
    async with running(tmp_path_factory.mktemp("firm")) as firm:
        yield firm
        firm.xai.faults.clear()
        firm.espo.faults.clear()


@pytest_asyncio.fixture(loop_scope="module")
async def worker(firm: Firm) -> AsyncIterator[Process]:
    """A worker of the test's own."""
    firm.xai.faults.clear()
    firm.espo.faults.clear()
    async with firm.worker() as worker:
        yield worker


def failures(worker: Process) -> int:
    """The most failures that any event was charged with."""
    return max((line["failures"] for line in worker.lines("run_failed")), default=0)


@pytest.mark.parametrize("retry_after", ["1", None])
async def test_rate_limit_on_upload_is_kept(firm: Firm, worker: Process, retry_after: str | None) -> None:
    """429 on uploads: the pause that xAI names is kept, everything is synced, each uploaded once."""
    headers = {"Retry-After": retry_after} if retry_after else {}
    rule = FaultRule(kind=FaultKind.STATUS, method="POST", path="/files$", count=3, status=429, headers=headers)
    firm.xai.faults.add(rule)
    before = len(firm.xai.log.matching("POST", "/files$"))
    documents = [firm.document(f"{number}".encode(), firm.owner()) for number in range(3)]
    await firm.deliver()
    await eventually(lambda: any(e.status == 429 for e in firm.xai.log.matching("POST", "/files$")[before:]), "429")
    documents.append(firm.document(b"kommt in die Pause", firm.owner()))
    await firm.settle()
    firm.right(*documents)
    assert [len(firm.uploads(document)) for document in documents] == [1] * 4
    posts = firm.xai.log.matching("POST", "/files$")[before:]
    if retry_after:
        first = next(entry for entry in posts if entry.status == 429).ended
        assert not [entry for entry in posts if first + 0.1 < entry.started < first + 0.95]


async def test_xai_away_for_a_while(firm: Firm, worker: Process) -> None:
    """All connections to xAI cut: the breaker opens, the consumer pauses, no event is used up or dead-lettered.

    Once xAI is back, everything is synced, what came meanwhile too.
    """
    firm.xai.faults.add(FaultRule(kind=FaultKind.CUT_BEFORE))
    documents = [firm.document(f"während {number}".encode(), firm.owner()) for number in range(20)]
    await firm.deliver()
    await worker.said("breaker_opened")
    assert await worker.metric("bitbylaw_breaker_open") > 0
    opened = time.monotonic()

    def after_opening() -> list[RequestEntry]:
        """What was asked once all that was under way had ended."""
        return [entry for entry in firm.xai.log.entries if entry.started > opened + 1]

    await eventually(lambda: bool(after_opening()), "a probe")
    assert len(after_opening()) <= 2, "one probe for each of xAI's hosts, and nobody hammers"
    # The pull request made for the probe is open for five seconds; the breaker for ten. Then nothing is fetched.
    await eventually(lambda: time.monotonic() > after_opening()[0].ended + 6, "no pull request is open any more")
    later = [firm.document(f"danach {number}".encode(), firm.owner()) for number in range(5)]
    await firm.deliver()
    delivered = time.monotonic()
    await eventually(lambda: time.monotonic() > delivered + 0.5, "time enough to fetch them")
    assert not [entry for document in later for entry in firm.espo.log.matching("GET", document)], "they are left alone"
    assert failures(worker) < 5, "what comes after the breaker has opened uses up no attempts"
    firm.xai.faults.clear()
    await firm.settle()
    firm.right(*documents, *later)
    assert not await firm.dead_letters()


async def test_espocrm_in_maintenance(firm: Firm, worker: Process) -> None:
    """EspoCRM answers 503 to everything for a while: nothing is lost, nothing is a dead letter."""
    documents = [firm.document(f"{number}".encode(), firm.owner()) for number in range(6)]
    await firm.deliver()
    firm.espo.set_maintenance(on=True)
    again = [firm.document(f"neu {number}".encode(), firm.owner()) for number in range(6)]
    await firm.deliver()
    await worker.said("breaker_opened")
    firm.espo.set_maintenance(on=False)
    await firm.settle()
    firm.right(*documents, *again)
    assert not await firm.dead_letters()


async def test_espocrms_guard_against_guessed_keys(tmp_path: Path) -> None:
    """An empty 403 means that this address is shut out for a minute: no failure of the document, a try afterwards."""
    async with running(tmp_path) as firm:
        document = firm.document(b"Klage", firm.owner())
        async with firm.worker() as worker:
            firm.espo.faults.add(FaultRule(kind=FaultKind.STATUS, path="/api/v1/", status=403, count=1))
            await firm.post_webhook("document/update", document)
            await eventually(lambda: bool(worker.lines("run_failed")), "shut out")
            told = worker.lines("run_failed")[0]
            assert told["error"] == "RateLimited"
            assert 50 < told["retry_in"] <= 60
            assert not await firm.dead_letters()
            assert firm.shown(document)["xaiSyncStatus"] == "no_sync"
        async with firm.worker():  # the first one's pause lasts a minute; another address is not shut out
            await firm.deliver()
            await firm.clean(document)
