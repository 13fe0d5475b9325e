"""What can never be synced: a clear reason in log, dead letter and EspoCRM, nothing personal, the service goes on."""

import re
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio
from tests.support.documents import Firm, running
from tests.support.services import Process, eventually

from bitbylaw.simulators.xai.config import XaiConfig

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAME, FILE = "Scheidung Kunigunde Übelacker", "Übelacker Krankenakte"
LARGE = b"x" * (1024 * 1024 + 1)


class Bad(msgspec.Struct, frozen=True):
    """A file that cannot go to xAI, and the reason that is to be given."""

    reason: str
    content: bytes = b"Inhalt"
    file: str = f"{FILE}.txt"
    mime: str = "text/plain"
    gone: bool = False
    nameless: bool = False


BAD = {
    "too large": Bad("the file is larger than 1 MiB", LARGE),
    "empty": Bad("the file is empty", b""),
    "nameless": Bad("the file has no name", nameless=True),
    "archive": Bad("type application/zip is not read by xAI", b"PK\3\4", f"{FILE}.zip", "application/zip"),
    "picture": Bad("type image/jpeg is not read by xAI", b"\xff\xd8", f"{FILE}.jpg", "image/jpeg"),
    "gone": Bad("the attachment is gone from EspoCRM (404)", gone=True),
    "too large for xAI": Bad("xAI refuses the file (413)", b"y" * 600_000),
    "not processed by xAI": Bad("xAI could not process the file", file=f"{FILE} kaputt.txt"),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def firm(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Firm]:
    """A firm that hears of our own writes too (no skipOwn), whose xAI takes 500 kB and fails on some names."""
    xai = XaiConfig(processing_time=0.1, max_file_size=500_000, failing_names={"*kaputt*": f"cannot read {FILE}"})
    async with running(tmp_path_factory.mktemp("firm"), xai=xai, skip_own=False) as firm:
        yield firm


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def worker(firm: Firm) -> AsyncIterator[Process]:
    """A worker that takes files of 1 MiB."""
    async with firm.worker(XAI_MAX_FILE_SIZE_MB="1", LOG_LEVEL="debug") as worker:
        yield worker


def impersonal(*texts: str) -> None:
    """No text names the person."""
    assert not [text for text in texts if re.search("Kunigunde|belacker|Krankenakte", text)]


@pytest.mark.parametrize("case", BAD)
async def test_bad_file(firm: Firm, worker: Process, case: str) -> None:
    """One dead letter with the reason, `failed` with the reason in EspoCRM, no name anywhere, no endless runs.

    A good document syncs afterwards, and so does a good file in the place of the bad one.
    """
    bad = BAD[case]
    document = firm.document(bad.content, firm.owner(), name=NAME, file=bad.file, mime=bad.mime)
    if bad.gone:
        firm.espo.delete("Attachment", firm.shown(document)["dokumentId"])
    if bad.nameless:  # EspoCRM takes none such; an import into its database may have left one
        firm.espo.raw_change("Attachment", firm.shown(document)["dokumentId"], {"name": ""})
    await firm.settle()
    shown = firm.shown(document)
    assert (shown["xaiSyncStatus"], shown["xaiSyncError"]) == ("failed", bad.reason)
    (letter,) = await firm.dead_letters(document)
    assert (letter.error, letter.reason, letter.attempts) == ("ContentRefused", bad.reason, 1)
    told = [line for line in worker.lines("event_dead_lettered") if document in line["entity"]]
    assert [line["reason"] for line in told] == [bad.reason]
    impersonal(worker.text(), msgspec.json.encode(letter).decode())
    firm.espo.update("CDokumente", document, {"description": "noch einmal angesehen"})
    good = firm.document(b"gut", firm.owner())
    await firm.settle()
    firm.right(good)
    assert len(await firm.dead_letters(document)) == 1, "known to fail: not tried again"
    firm.replace(document, b"jetzt in Ordnung", f"{FILE} neu.txt")
    await firm.settle()
    firm.right(document)
    impersonal(worker.text())


async def test_failed_document_still_leaves_what_it_is_unlinked_from(firm: Firm, worker: Process) -> None:
    """A document whose new file cannot be synced keeps its old one, but not where it is no longer linked."""
    first, second = firm.owner(), firm.owner("Account", "Mandant")
    document = firm.document(b"gut", first, second)
    await firm.settle()
    firm.replace(document, b"PK", "x.zip", mime="application/zip")
    await firm.settle()
    (file,) = firm.files(document)
    assert firm.members(file.id) == {*firm.collections(first), *firm.collections(second)}
    firm.relink(document, second)
    await firm.settle()
    assert firm.shown(document)["xaiSyncStatus"] == "failed"
    assert firm.members(file.id) == set(firm.collections(second))
    firm.relink(document)
    await firm.settle()
    firm.right(document)


@pytest.mark.parametrize(
    "status", [{"fileStatus": "changed"}, {"dateiStatus": "Geändert"}, {"xaiSyncStatus": "unclean"}], ids=str
)
async def test_failed_document_is_tried_again_when_somebody_asks(
    firm: Firm, worker: Process, status: dict[str, str]
) -> None:
    """A person who sets a status gets another try, with another dead letter if it fails again."""
    document = firm.document(b"", firm.owner())
    await firm.settle()
    firm.espo.update("CDokumente", document, status)
    await firm.settle()
    assert len(await firm.dead_letters(document)) == 2
    assert firm.shown(document)["xaiSyncStatus"] == "failed"


async def test_unknown_entity(firm: Firm, worker: Process) -> None:
    """An entity nobody knows is a dead letter after some tries; its deletion is none."""
    await firm.nats_pub("vmh.document.update", b'{"entity_id":"0123456789abcdef0"}')
    await firm.nats_pub("vmh.document.delete", b'{"entity_id":"0123456789abcdef1"}')
    await eventually(
        lambda: bool([x for x in worker.lines("event_dead_lettered") if "abcdef0" in x["entity"]]), "given up"
    )
    await firm.settle()
    (letter,) = await firm.dead_letters("0123456789abcdef0")
    assert (letter.error, letter.reason) == ("UnknownEntity", "EspoCRM has no CDokumente with this id")
    assert not await firm.dead_letters("0123456789abcdef1")


@pytest.mark.parametrize(
    ("subject", "payload", "reason"),
    [
        ("vmh.document.update", b'{"entity_id":"Kunigunde"}', "id of 9 characters is not of EspoCRM's form"),
        ("vmh.document.update", b"Kunigunde", "payload is not JSON"),
        ("vmh.document.update.0123456789abcdef2", b"Kunigunde", "payload is not JSON"),
        ("vmh.document.update.0123456789abcdef3", b'{"entity_id":"0123456789abcdef2"}', "is not the id in the subject"),
        ("vmh.document.update.nonsense", b"", "is not of EspoCRM's form"),
    ],
)
async def test_unusable_event(firm: Firm, worker: Process, subject: str, payload: bytes, reason: str) -> None:
    """An event that names no usable entity is a dead letter with the reason, and the next one is handled."""
    before = len(await firm.dead_letters())
    await firm.nats_pub(subject, payload)
    await eventually(lambda: _more_letters(firm, before), "dead letter")
    letter = (await firm.dead_letters())[-1]
    assert letter.error == "EventInvalid"
    assert reason in letter.reason
    good = firm.document(b"gut", firm.owner())
    await firm.settle()
    firm.right(good)


async def _more_letters(firm: Firm, before: int) -> bool:
    return len(await firm.dead_letters()) > before
