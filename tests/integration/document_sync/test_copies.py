"""Many copies of one webhook: one upload, the last state in xAI, at most two runs.

Runs are counted in the worker's log, which has one line for each (and EspoCRM a GET at least). Those that the worker
causes by itself, to look how far xAI is, have the action `sync_check` and are left out.
"""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.support.documents import Firm, running
from tests.support.services import Process, eventually

from bitbylaw.simulators.faults import FaultKind, FaultRule

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def firm(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Firm]:
    """A firm without a worker."""
    async with running(tmp_path_factory.mktemp("firm")) as firm:
        yield firm


def runs(firm: Firm, worker: Process, document: str) -> int:
    """The runs that webhooks caused."""
    handled = [line for line in worker.lines("event_handled") if line["entity"].endswith(document)]
    assert len(handled) <= len(firm.espo.log.matching("GET", f"/CDokumente/{document}$"))
    return sum(not line["subject"].endswith("sync_check") for line in handled)


@pytest.mark.parametrize("bodies", [1, 10])
async def test_ten_copies_before_the_run(firm: Firm, bodies: int) -> None:
    """Ten copies that wait when the worker starts, in one body or in ten, are one upload and at most two runs."""
    document = firm.document(b"Klage", firm.owner())
    for _ in range(bodies):
        await firm.post_webhook("document/update", *[document] * (10 // bodies))
    async with firm.worker() as worker:
        await firm.clean(document)
        await firm.quiet()
        firm.right(document)
        assert len(firm.uploads(document)) == 1
        assert runs(firm, worker, document) <= 2
    await firm.deliver()


@pytest.mark.parametrize("changed", [False, True], ids=["same content", "new content each time"])
async def test_ten_copies_during_the_run(firm: Firm, changed: bool) -> None:  # noqa: FBT001  (parametrised)
    """Ten copies that come during the run are one more run; of contents that changed the last one is in xAI."""
    document = firm.document(b"Klage", firm.owner())
    await firm.deliver()
    firm.xai.faults.add(FaultRule(kind=FaultKind.LATENCY, method="POST", path="/files$", count=1, seconds=1.0))
    async with firm.worker() as worker:
        await eventually(lambda: firm.xai.faults.states()[-1].hits > 0, "the upload is under way")
        for number in range(10):
            if changed:
                firm.replace(document, f"Fassung {number}".encode())
            await firm.post_webhook("document/update", document)
        await firm.quiet()
        firm.right(document)
        assert len(firm.uploads(document)) == 1 + changed
        assert runs(firm, worker, document) <= 2
    await firm.deliver()
