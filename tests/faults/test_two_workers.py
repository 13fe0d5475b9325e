"""Two worker processes: no entity is handled by both at once, and one that stood still writes nothing afterwards."""

import asyncio
import time
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
import pytest_asyncio
from tests.support.documents import READING, Firm, running
from tests.support.services import eventually

from bitbylaw.simulators.faults import FaultKind, FaultRule, RequestEntry

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUICK = {"LEASE_SECONDS": "2"}


@pytest_asyncio.fixture(loop_scope="module")
async def firm(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Firm]:
    """A firm without a worker."""
    async with running(tmp_path_factory.mktemp("firm")) as firm:
        yield firm


def requests(firm: Firm, document: str) -> list[RequestEntry]:
    """All requests about a document and its files (uploads name neither), by time of arrival."""
    parts = (document, *(file.id for file in firm.uploads(document)))
    entries = [*firm.espo.log.entries, *firm.xai.log.entries]
    return sorted((e for e in entries if any(part in e.path for part in parts)), key=lambda entry: entry.started)


def overlapping(firm: Firm, document: str) -> list[str]:
    """Where a worker wrote without having begun its run after the other one's last write."""
    entries = requests(firm, document)
    reads = [entry for entry in entries if entry.method == "GET" and entry.path.endswith(f"/CDokumente/{document}")]
    faults = []
    for before, after in pairwise(entry for entry in entries if entry.method not in READING):
        began = any(read.tag == after.tag and before.ended <= read.started < after.started for read in reads)
        if before.tag != after.tag and not began:
            faults.append(f"{before.tag}: {before.method} {before.path}; {after.tag}: {after.method} {after.path}")
    return faults


async def test_a_storm_on_few_documents_never_has_two_hands_on_one(firm: Firm) -> None:
    """Two workers, a storm of changes on few documents, one worker stopped past its lease and continued.

    Each writes only in runs that began after the other's last write; in the end all is right.
    """
    async with firm.instrumented("one", **QUICK) as one, firm.instrumented("two", **QUICK):
        firm.xai.faults.add(FaultRule(kind=FaultKind.LATENCY, seconds=0.05))
        owners = [firm.owner(), firm.owner("Account", "Mandant")]
        documents = [firm.document(f"{number}".encode(), *owners) for number in range(4)]
        for turn in range(12):
            for document in documents:
                firm.replace(document, f"{document} in Fassung {turn}".encode())
            await firm.deliver()
            if turn == 4:
                one.stop()
            if turn == 10:
                one.resume()
            await asyncio.sleep(0.3)  # the pace of the storm
        firm.xai.faults.clear()
        await firm.settle()
        firm.right(*documents)
        assert not [fault for document in documents for fault in overlapping(firm, document)]
        tags = {entry.tag for document in documents for entry in requests(firm, document)}
        assert tags == {"one", "two"}, "both took part"


@pytest.mark.parametrize("seconds", [1.0, 4.5], ids=["lands before the next owner looks", "lands long after"])
async def test_worker_stopped_in_the_middle_of_an_upload_writes_nothing_afterwards(firm: Firm, seconds: float) -> None:
    """Stopped while uploading, past its lease: the other worker finishes, the continued one writes nothing any more.

    Its upload arrives all the same, before or after the other one looked for it: one file is left in the end.
    """
    firm.configure(late_upload_seconds=4)
    async with firm.instrumented("first", **QUICK) as first:
        document = firm.document(b"Schriftsatz", firm.owner())
        firm.xai.faults.add(FaultRule(kind=FaultKind.LATENCY, method="POST", path="/files$", count=1, seconds=seconds))
        await firm.deliver()
        await eventually(lambda: firm.xai.faults.states()[0].hits > 0, "the upload begins")
        first.stop()
        async with firm.instrumented("second", **QUICK):
            await eventually(lambda: firm.shown(document)["xaiSyncStatus"] == "clean", "the second worker is through")
            uploads = 1 if seconds == 1.0 else 2
            await eventually(lambda: len(firm.xai.log.matching("POST", "/files$")) == uploads, "all arrived")
            resumed = time.monotonic()
            first.resume()
            await eventually(lambda: bool(first.lines("run_stopped")), "the first one notices")
            await firm.settle()
            firm.right(document)
            assert first.lines("run_stopped")[0]["error"] == "LeaseLost"
            assert not overlapping(firm, document)
            later = [e for e in requests(firm, document) if e.tag == "first" and e.started >= resumed]
            assert not later or later[0].path.endswith(f"/CDokumente/{document}"), "only a new run may go on"


async def test_next_owner_starts_within_fifteen_seconds(firm: Firm) -> None:
    """With the delivered timing, a killed worker's document is in the other one's hands within 15 seconds."""
    async with firm.instrumented("victim") as victim:
        document = firm.document(b"Urteil", firm.owner())
        firm.kill_before(document, 3)
        await firm.deliver()
        await eventually(lambda: not victim.running, "killed")
        killed = firm.steps(document)[-1].at
        async with firm.instrumented("heir"):
            await firm.clean(document)
            began = next(step.at for step in firm.steps(document) if step.pid != victim.pid)
            assert began - killed < 15
