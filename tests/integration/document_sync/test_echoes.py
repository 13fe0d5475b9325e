"""Our own writes, heard again or not, cause nothing."""

import pytest
from tests.support.documents import READING, Firm, running


def writes(firm: Firm) -> int:
    """How often anything was written to EspoCRM's documents or to xAI."""
    entries = [*firm.espo.log.matching(path="/CDokumente"), *firm.xai.log.entries]
    return sum(entry.method not in READING for entry in entries)


@pytest.mark.parametrize("skip_own", [True, False])
async def test_own_writes_cause_no_second_effect(tmp_path_factory: pytest.TempPathFactory, skip_own: bool) -> None:  # noqa: FBT001  (parametrised)
    """After create and replace, delivering our own echoes writes nothing to either side; with skipOwn none come."""
    async with running(tmp_path_factory.mktemp("firm"), skip_own=skip_own) as firm, firm.worker():
        document = firm.document(b"Klage", firm.owner(), firm.owner("Account", "Mandant"))
        for _ in range(2):
            await firm.deliver()
            await firm.quiet()
            firm.right(document)
            before = writes(firm)
            assert bool(await firm.deliver()) is not skip_own
            await firm.quiet()
            assert await firm.deliver() == 0
            assert writes(firm) == before
            firm.replace(document, b"Klage, erweitert")
