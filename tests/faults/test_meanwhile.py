"""People who work on a document in the middle of its sync."""

import re
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from tests.support.documents import Firm, running
from tests.support.services import eventually

from bitbylaw.simulators.faults import FaultKind, FaultRule

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def firm(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Firm]:
    """A firm with one worker."""
    async with running(tmp_path_factory.mktemp("firm")) as firm, firm.worker():
        yield firm


def delete_and_restore(firm: Firm, document: str) -> None:
    """Somebody deletes a document by mistake."""
    firm.espo.delete("CDokumente", document)
    firm.espo.restore("CDokumente", document)


Act = Callable[[Firm, str], object]
MEANWHILE: dict[str, Act] = {
    "renames it": lambda firm, document: firm.espo.update("CDokumente", document, {"name": "Neuer Name"}),
    "writes a field of ours": lambda firm, document: firm.espo.update("CDokumente", document, {"xaiSyncError": "?"}),
    "replaces the file": lambda firm, document: firm.replace(document, b"allerletzte Fassung"),
    "removes the file": lambda firm, document: firm.espo.update("CDokumente", document, {"dokumentId": None}),
    "changes the links": lambda firm, document: firm.relink(document, firm.owner(), firm.owner("CBeteiligte", "Neu")),
    "removes all links": lambda firm, document: firm.relink(document),
    "deletes it": lambda firm, document: firm.espo.delete("CDokumente", document),
    "deletes and restores it": delete_and_restore,
}
MOMENTS = {
    "download": ("espo", "GET", "/Attachment/file/"),
    "upload": ("xai", "POST", "/files$"),
    "write-back": ("espo", "PUT", "/CDokumente/"),
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("act", MEANWHILE)
async def test_somebody_works_on_it_meanwhile(firm: Firm, act: str, moment: str) -> None:
    """What a person does in the middle of a run survives, and all ends right; it is never a dead letter."""
    system, method, path = MOMENTS[moment]
    simulator = firm.espo if system == "espo" else firm.xai
    document = firm.document(b"Klage", firm.owner(), firm.owner("Account", "Mandant"))
    simulator.faults.clear()
    simulator.faults.add(FaultRule(kind=FaultKind.LATENCY, method=method, path=path, count=1, seconds=0.15))
    await firm.deliver()
    await eventually(lambda: simulator.faults.states()[-1].hits > 0, moment)
    MEANWHILE[act](firm, document)
    await firm.settle()
    firm.right(document)
    if act == "renames it":
        assert firm.shown(document)["name"] == "Neuer Name"
        written = [entry.status for entry in firm.espo.log.matching("PUT", f"/CDokumente/{document}$")]
        assert written[0] == 409, "what was decided on an older version is not written"
    if act == "replaces the file":
        assert len(firm.uploads(document)) == 1 + (moment != "download")
    assert not [letter for letter in await firm.dead_letters() if re.search(document, letter.subject)]
