"""A random office day: people, faults of all kinds, two workers, one of them killed now and then."""

import asyncio
import random
from pathlib import Path

import pytest
from tests.support.documents import Firm, Owner, running

from bitbylaw.simulators.faults import FaultKind, FaultRule

DOCUMENTS = 30
OPERATIONS = 120
FAULTY = 0.05
#: How often people do what.
WEIGHTS = {"replace": 6, "relink": 4, "rename": 2, "status": 2, "remove": 1, "delete": 1}
QUICK = {"LEASE_SECONDS": "2", "RESPAWN": "1"}


class Day:
    """What people do, drawn from a seed."""

    def __init__(self, firm: Firm, seed: int) -> None:
        self._firm = firm
        self._chance = random.Random(seed)  # noqa: S311  (chooses what people do)
        self._owners: list[Owner] = [
            *(firm.owner(name=f"Räumungsklage {number}") for number in range(4)),
            *(firm.owner("CBeteiligte", f"Person {number}") for number in range(3)),
            *(firm.owner("Account", f"Mandant {number}") for number in range(2)),
        ]
        self.documents = [firm.document(self._content(), *self._some_owners()) for _ in range(DOCUMENTS)]
        self._deleted: set[str] = set()

    def operation(self) -> None:
        """One thing that somebody does to some document."""
        document = self._chance.choice(self.documents)
        if document in self._deleted:
            self._firm.espo.restore("CDokumente", document)
            self._firm.espo.update("CDokumente", document, {"description": f"wieder da {self._chance.random()}"})
            self._deleted.discard(document)
            return
        match self._chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]:
            case "replace":
                self._firm.replace(document, self._content())
            case "relink":
                self._firm.relink(document, *self._some_owners())
            case "rename":
                self._firm.espo.update("CDokumente", document, {"name": f"Name {self._chance.random()}"})
            case "status":
                self._firm.espo.update("CDokumente", document, {"fileStatus": "changed"})
            case "remove":
                self._firm.espo.update("CDokumente", document, {"dokumentId": None})
            case _:
                self._firm.espo.delete("CDokumente", document)
                self._deleted.add(document)

    def chance(self, share: float) -> bool:
        """Whether something that happens in this share of cases happens now."""
        return self._chance.random() < share

    def _content(self) -> bytes:
        """One of a few contents, so that documents come back to earlier ones."""
        return f"Inhalt {self._chance.randrange(6)}".encode()

    def _some_owners(self) -> list[Owner]:
        chosen = self._chance.sample(self._owners, self._chance.randrange(4))
        accounts = [owner for owner in chosen if owner[0] == "Account"]
        return [owner for owner in chosen if owner not in accounts[1:]]


def faults() -> list[FaultRule]:
    """Every kind of fault, each with its share of all that goes wrong."""
    kinds = [kind for kind in FaultKind if kind is not FaultKind.STATUS]
    rules = [FaultRule(kind=kind, probability=FAULTY / len(FaultKind), status=500, seconds=0.3) for kind in kinds]
    slow_down = FaultRule(kind=FaultKind.STATUS, probability=FAULTY / 20, status=429, headers={"Retry-After": "1"})
    return [*rules, slow_down, FaultRule(kind=FaultKind.STATUS, probability=FAULTY / 20, status=503)]


@pytest.mark.parametrize("seed", [1])
async def test_after_a_random_day_all_is_right(tmp_path: Path, seed: int) -> None:
    """However people, faults and kills interleave: after quiet every document is exactly where its links say.

    One file each with the present content, true statuses, one collection per owner, nothing of ours left over.
    """
    async with running(tmp_path) as firm, firm.instrumented("one", **QUICK), firm.instrumented("two", **QUICK):
        day = Day(firm, seed)
        for simulator in (firm.espo, firm.xai):
            simulator.faults.reseed(seed)
            for rule in faults():
                simulator.faults.add(rule)
        for _ in range(OPERATIONS):
            day.operation()
            if day.chance(0.3):
                await firm.deliver()
            if day.chance(0.04):
                firm.kill_before(day.documents[0], len(firm.steps(day.documents[0])) + 2)
            await asyncio.sleep(0.02)  # the pace of the day
        await firm.deliver()
        firm.espo.faults.clear()
        firm.xai.faults.clear()
        await firm.settle(within=60)
        firm.right(*day.documents)
        ours = {file.id for document in day.documents for file in firm.files(document)}
        assert {file.id for file in firm.xai.files} == ours
        descriptions = [collection.collection.description for collection in firm.xai.collections]
        assert len(descriptions) == len(set(descriptions))
        assert not await firm.dead_letters()
