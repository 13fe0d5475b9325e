"""Workers killed with SIGKILL anywhere: between any two steps, and while any single write is under way."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from functools import partial
from itertools import count

import pytest
import pytest_asyncio
from tests.support.documents import READING, Firm, Owner, running
from tests.support.services import eventually

from bitbylaw.simulators.faults import FaultKind, FaultPlan, FaultRule, RequestEntry

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: A killed worker's leases and messages are free again after so many seconds; it is itself there again at once.
QUICK = {"LEASE_SECONDS": "2", "RESPAWN": "1"}
CHANGES = ("create", "replace", "delete")
_HELD = 0.4
"""Seconds that the answer to a write is held back; its worker is killed in their middle."""


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

    async def take_place(self, *, kill: int | None = None) -> str:
        """Do it to the next one; its worker is to be killed before the step of number `kill`."""
        firm = self._firm
        document = self._prepared.pop() if self._prepared else firm.document(b"neuer Inhalt", *self._owners())
        if kill is not None:
            firm.kill_before(document, len(firm.steps(document)) + kill)
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


@pytest.mark.parametrize("kind", CHANGES)
async def test_killed_between_any_two_steps(firm: Firm, kind: str) -> None:
    """Killed before each step of a change: after restart all is as if nothing had happened.

    The steps are found by going on until a document comes through without its worker being killed.
    """
    change = Change(firm, kind)
    await change.prepare(25)
    documents = []
    for number in count():
        document = await change.take_place(kill=number)
        documents.append(document)
        await eventually(partial(done, firm, document), f"killed at step {number}, or done")
        if not firm.was_killed(document):
            break
    assert len(documents) > {"create": 10, "replace": 10, "delete": 3}[kind], "the enumeration found the steps"
    await firm.settle()
    firm.right(*documents)
    assert not await firm.dead_letters()


def holding(entry: RequestEntry, before: Sequence[RequestEntry]) -> FaultRule:
    """Hold the answer to the request that corresponds to `entry` in another document's sync."""
    pattern = "".join("/[^/]+" if part.startswith("{") else f"/{part}" for part in entry.route.split("/")[1:])
    earlier = sum((other.method, other.route) == (entry.method, entry.route) for other in before)
    return FaultRule(
        kind=FaultKind.SLOW_BODY, method=entry.method, path=f"^{pattern}$", count=1, skip=earlier, seconds=_HELD
    )


def struck(plan: FaultPlan) -> bool:
    """Whether the plan's only fault has struck."""
    return plan.states()[0].hits > 0


@pytest.mark.parametrize("kind", CHANGES)
async def test_killed_while_a_write_is_under_way(firm: Firm, kind: str) -> None:
    """Killed when each single write has taken effect and its answer is on the way: nobody hears; all ends well."""
    change = Change(firm, kind)
    await change.prepare(12)
    for simulator in (firm.espo, firm.xai):
        simulator.log.clear()
    document = await change.take_place()
    await firm.settle()
    firm.right(document)
    held: list[tuple[FaultPlan, FaultRule]] = []
    for simulator in (firm.espo, firm.xai):
        writes = [entry for entry in simulator.log.entries if entry.method not in READING]
        held += [(simulator.faults, holding(entry, writes[:place])) for place, entry in enumerate(writes)]
    documents = []
    for plan, rule in held:
        plan.add(rule)
        document = await change.take_place()
        documents.append(document)
        await eventually(partial(struck, plan), f"{rule.method} {rule.path}")
        await asyncio.sleep(_HELD / 2)
        os.kill(int((firm.home / "steps" / "pid").read_text(encoding="ascii")), signal.SIGKILL)
        plan.clear()
    await firm.settle()
    firm.right(*documents)
    assert len(documents) >= {"create": 8, "replace": 8, "delete": 2}[kind]
    assert not await firm.dead_letters()
