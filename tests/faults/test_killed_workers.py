"""Workers killed with SIGKILL anywhere: between any two steps, in the middle of each, at each write that is under way."""

import os
import signal
from collections.abc import AsyncIterator, Sequence
from itertools import count

import pytest
import pytest_asyncio
from tests.support.documents import Firm, Owner, eventually, running

from bitbylaw.simulators.faults import FaultKind, FaultPlan, FaultRule, RequestEntry

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: A killed worker's leases and messages are free again after so many seconds; it is itself there again at once.
QUICK = {"LEASE_SECONDS": "2", "RESPAWN": "1"}
CHANGES = ("create", "replace", "delete")
_HELD = 0.4
"""Seconds that a write is held in which its worker is killed."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def firm(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Firm]:
    """A firm whose only worker is killed again and again."""
    async with running(tmp_path_factory.mktemp("firm")) as firm, firm.instrumented(**QUICK):
        yield firm


class Change:
    """One kind of change, done to one document after another."""

    def __init__(self, firm: Firm, kind: str) -> None:
        self._firm = firm
        self._kind = kind
        self._prepared: list[str] = []

    async def prepare(self, amount: int) -> None:
        """Have documents that can be changed."""
        if self._kind != "create":
            self._prepared = [self._firm.document(b"alter Inhalt", *self._owners()) for _ in range(amount)]
            await self._firm.settle()
            self._firm.right(*self._prepared)

    def next(self) -> str:
        """The document to be changed next; "" if it is yet to be made."""
        return self._prepared.pop() if self._kind != "create" else ""

    async def take_place(self, document: str = "", *, kill: tuple[int, float] | None = None) -> str:
        """Do it to `document`, or to the next one; with orders where to kill, given in time."""
        firm = self._firm
        document = document or self.next() or firm.document(b"neuer Inhalt", *self._owners())
        if kill is not None:
            taken = len(firm.steps(document))
            firm.kill_before(document, taken + kill[0], after=kill[1])
        if self._kind == "replace":
            firm.replace(document, b"anderer Inhalt")
        elif self._kind == "delete":
            firm.espo.delete("CDokumente", document)
        await firm.deliver()
        return document

    def _owners(self) -> Sequence[Owner]:
        return self._firm.owner(), self._firm.owner("Account", "Mandant")


async def done(firm: Firm, document: str) -> bool:
    """Whether the change has come through, or its worker was killed as ordered."""
    return firm.was_killed(document) or (await firm.is_quiet() and not firm.wrong(document))


@pytest.mark.parametrize("after", [0.0, 0.02], ids=["before", "during"])
@pytest.mark.parametrize("kind", CHANGES)
async def test_killed_at_every_step(firm: Firm, kind: str, after: float) -> None:
    """Killed before each step, or a moment into it: all ends as if nothing had happened.

    The steps are found by going on until a document comes through without its worker being killed.
    """
    change = Change(firm, kind)
    await change.prepare(30)
    documents = []
    if after:
        for simulator in (firm.espo, firm.xai):
            simulator.faults.add(FaultRule(kind=FaultKind.LATENCY, seconds=2 * after))
    for number in count():
        document = await change.take_place(kill=(number, after))
        documents.append(document)
        await eventually(lambda document=document: done(firm, document), f"killed at step {number}, or done")
        if not firm.was_killed(document):
            break
    for simulator in (firm.espo, firm.xai):
        simulator.faults.clear()
    assert len(documents) > {"create": 10, "replace": 10, "delete": 4}[kind], "the enumeration found the steps"
    await firm.settle()
    firm.right(*documents)
    assert not await firm.dead_letters()


def rule_for(entry: RequestEntry, before: list[RequestEntry]) -> FaultRule:
    """Hold the request that corresponds to `entry` in another document's sync."""
    path = "/[^/]+".join(part for part in entry.route.replace("/{", "\0{").split("\0"))
    pattern = "^" + "".join(_literal(part) for part in entry.route.split("/") if part) + "$"
    del path
    earlier = [other for other in before if (other.method, other.route) == (entry.method, entry.route)]
    return FaultRule(
        kind=FaultKind.LATENCY, method=entry.method, path=pattern, count=1, skip=len(earlier), seconds=_HELD
    )


def _literal(part: str) -> str:
    return "/[^/]+" if part.startswith("{") else f"/{part}"


@pytest.mark.parametrize("kind", CHANGES)
async def test_killed_while_a_write_is_under_way(firm: Firm, kind: str) -> None:
    """Killed while each single write is at EspoCRM or xAI: it takes effect, nobody hears of it, all ends well."""
    change = Change(firm, kind)
    await change.prepare(12)
    sample_starts = {plan: len(log.entries) for plan, log in ((firm.espo.faults, firm.espo.log), (firm.xai.faults, firm.xai.log))}
    document = await change.take_place()
    await firm.settle()
    firm.right(document)
    held: list[tuple[FaultPlan, FaultRule]] = []
    for simulator in (firm.espo, firm.xai):
        entries = [e for e in list(simulator.log.entries)[sample_starts[simulator.faults]:] if e.method not in {"GET", "HEAD"}]
        held += [(simulator.faults, rule_for(entry, entries[:place])) for place, entry in enumerate(entries)]
    documents = []
    for plan, rule in held:
        plan.add(rule)
        document = await change.take_place()
        documents.append(document)
        await eventually(lambda plan=plan: plan.states()[0].hits > 0, f"{rule.method} {rule.path}")
        os.kill(firm.steps(document)[-1].pid, signal.SIGKILL)
        plan.clear()
    await firm.settle()
    firm.right(*documents)
    assert len(documents) >= {"create": 8, "replace": 8, "delete": 2}[kind]
    assert not await firm.dead_letters()
