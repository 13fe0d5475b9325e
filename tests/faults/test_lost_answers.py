"""Every single call to EspoCRM and xAI fails once, in every way: executed or not, answered or cut."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.support.documents import Firm, running

from bitbylaw.simulators.faults import FaultKind, FaultRule

pytestmark = pytest.mark.asyncio(loop_scope="module")

CRM_CALLS = (
    ("GET", "/CDokumente/"),
    ("PUT", "/CDokumente/"),
    ("GET", "/Attachment/file/"),
    ("GET", "/Raeumungsklage/"),
    ("PUT", "/Raeumungsklage/"),
)
XAI_CALLS = (
    ("POST", "/files$"),
    ("DELETE", "/files/"),
    ("POST", "/collections$"),
    ("POST", "/documents/"),
    ("GET", "/documents/"),
    ("DELETE", "/documents/"),
)
FAULTS = {
    "not executed, no answer": {"kind": FaultKind.CUT_BEFORE},
    "executed, no answer": {"kind": FaultKind.CUT_AFTER},
    "executed, half an answer": {"kind": FaultKind.CUT_MIDDLE},
    "not executed, 500": {"kind": FaultKind.STATUS, "status": 500},
    "executed, 500": {"kind": FaultKind.STATUS_AFTER, "status": 500},
    "not executed, 503": {"kind": FaultKind.STATUS, "status": 503},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def firm(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Firm]:
    """A firm with one worker."""
    async with running(tmp_path_factory.mktemp("firm")) as firm, firm.worker():
        yield firm


@pytest.mark.parametrize("fault", FAULTS)
async def test_every_call_fails_once(firm: Firm, fault: str) -> None:
    """Each kind of call of a create, a replace and a delete fails once in this way: no duplicate, no orphan, clean."""
    for simulator, calls in ((firm.espo, CRM_CALLS), (firm.xai, XAI_CALLS)):
        simulator.faults.clear()
        for method, path in calls:
            simulator.faults.add(FaultRule(method=method, path=path, count=1, **FAULTS[fault]))  # type: ignore[arg-type]  # keywords of one rule
    documents = [firm.document(f"{fault} {number}".encode(), firm.owner()) for number in range(4)]
    await firm.settle()
    for document in documents[:3]:
        firm.replace(document, f"anders {document}".encode())
    await firm.settle()
    firm.espo.delete("CDokumente", documents[0])
    await firm.settle()
    states = [*firm.espo.faults.states(), *firm.xai.faults.states()]
    assert not [state.rule.path for state in states if not state.hits], "every fault struck"
    firm.right(*documents)
    assert not await firm.dead_letters()
