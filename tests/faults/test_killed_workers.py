"""Workers killed with SIGKILL anywhere: between any two steps, in the middle of each, at each upstream call."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from tests.support.documents import Firm, Owner, Process, eventually, running

from bitbylaw.simulators.faults import FaultKind, FaultRule

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: A killed worker's leases and messages are free again after so many seconds.
QUICK = {"LEASE_SECONDS": "2", "DOCUMENT_SYNC_CONCURRENCY": "1"}
#: No document of ours takes more steps than this.
MANY = 60


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def firm(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Firm]:
    """A firm whose workers come and go."""
    async with running(tmp_path_factory.mktemp("firm")) as firm:
        yield firm


class Victims:
    """An instrumented worker that is there again as soon as it was killed."""

    def __init__(self, firm: Firm, stack: AsyncExitStack) -> None:
        self._firm = firm
        self._stack = stack
        self._next: asyncio.Task[Process] | None = None
        self.now: Process | None = None

    async def ready(self) -> Process:
        """The living one."""
        if self.now is None or not self.now.running:
            self.now = await (self._next or asyncio.create_task(self._start()))
            self._next = asyncio.create_task(self._start())
        return self.now

    async def _start(self) -> Process:
        """The next one is started ahead and stands still, so that it takes no events yet."""
        return await self._stack.enter_async_context(self._firm.instrumented(**QUICK))


def prepared(firm: Firm, change: str, owners: list[Owner]) -> str:
    """A document to be changed; for a creation there is none before."""
    return "" if change == "create" else firm.document(f"alt, {change}".encode(), *owners)


def changed(firm: Firm, change: str, document: str, owners: list[Owner]) -> str:
    """Do `change`; the document's id."""
    match change:
        case "create":
            return firm.document("neu".encode(), *owners)
        case "replace":
            firm.replace(document, b"neu, anderer Inhalt")
        case "relink":
            firm.relink(document, owners[-1], firm.owner("Account", "Dritter"))
        case "delete":
            firm.espo.delete("CDokumente", document)
    return document
