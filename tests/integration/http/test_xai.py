"""XaiClient against the simulated xAI, over real sockets."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bitbylaw.common.errors import CredentialsRefused, Executed, NotFound, RateLimited, Refused, TransientError
from bitbylaw.common.http.client import UpstreamClient
from bitbylaw.common.telemetry.metrics import Metrics
from bitbylaw.document_sync.client import CollectionDocument, DocumentStatus, XaiClient, XaiFile
from bitbylaw.document_sync.xai_model import WireDocument, decoded, status_of
from bitbylaw.simulators.faults import FaultKind, FaultRule
from bitbylaw.simulators.xai import XaiConfig, XaiSimulator
from bitbylaw.simulators.xai.config import RepeatedAdd, RetryAfter

NAME = "6b04cd43a189d3089-0123456789abcdef-Räumungsklage Müller.pdf"
MEBIBYTE = 1024 * 1024


@asynccontextmanager
async def client(simulator: XaiSimulator, key: str | None = None) -> AsyncIterator[XaiClient]:
    metrics = Metrics()

    def upstream(system: str, secret: str) -> UpstreamClient:
        return UpstreamClient(
            system=system,
            base_url=simulator.api_url,
            headers={"Authorization": f"Bearer {key or secret}"},
            metrics=metrics,
        )

    async with (
        upstream("xai", simulator.api_key) as files,
        upstream("xai-management", simulator.management_key) as management,
    ):
        yield XaiClient(files, management)


class Clock:
    """xAI's clock, moved by the test."""

    def __init__(self) -> None:
        self.now = 1_795_476_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def simulator(clock: Clock) -> AsyncIterator[XaiSimulator]:
    async with XaiSimulator.running(XaiConfig(clock=clock)) as simulator:
        yield simulator


@pytest.fixture
async def xai(simulator: XaiSimulator) -> AsyncIterator[XaiClient]:
    async with client(simulator) as xai:
        yield xai


@pytest.fixture
def pdf(tmp_path: Path) -> Path:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF content")
    return path


# --- files -----------------------------------------------------------------------------------------------------------


async def test_upload(simulator: XaiSimulator, xai: XaiClient, pdf: Path) -> None:
    """A file arrives with its content and its name as it is, umlauts not encoded, and can be looked up."""
    file = await xai.upload(pdf, NAME, "application/pdf")
    assert (file.filename, file.size) == (NAME, 12)
    assert simulator.content(file.id) == b"%PDF content"
    assert await xai.file(file.id) == file


async def test_upload_of_48_mib_in_constant_memory(simulator: XaiSimulator, xai: XaiClient, tmp_path: Path) -> None:
    """The largest file goes from disk to xAI without being in memory."""
    path = tmp_path / "large"
    with path.open("wb") as content:
        content.truncate(48 * MEBIBYTE)
    tracemalloc.start()
    try:
        file = await xai.upload(path, "large.txt", "text/plain")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert file.size == 48 * MEBIBYTE
    assert len(simulator.uploads) == 1
    assert peak < 16 * MEBIBYTE  # both ends run in this process


async def test_upload_that_is_too_large(simulator: XaiSimulator, xai: XaiClient, pdf: Path) -> None:
    """Above xAI's limit it is refused for good with 413, and nothing stays there."""
    simulator.reconfigure(max_file_size=5)
    with pytest.raises(Refused) as caught:
        await xai.upload(pdf, NAME, "application/pdf")
    assert caught.value.status == 413
    assert simulator.files == []


async def test_upload_whose_answer_is_lost(simulator: XaiSimulator, xai: XaiClient, clock: Clock, pdf: Path) -> None:
    """An upload is sent once; if its answer is lost it is found by its name."""
    simulator.faults.add(FaultRule(kind=FaultKind.CUT_AFTER, method="POST", path="/files$", count=1))
    with pytest.raises(TransientError) as caught:
        await xai.upload(pdf, NAME, "application/pdf")
    assert caught.value.executed is Executed.UNKNOWN
    [found] = await xai.find_upload(NAME, clock.now)
    assert [found.id] == [file.id for file in simulator.uploads]


async def test_delete(xai: XaiClient, pdf: Path) -> None:
    """Deleting says whether there was something; what is gone is None."""
    file = await xai.upload(pdf, NAME, "application/pdf")
    assert await xai.delete_file(file.id)
    assert not await xai.delete_file(file.id)
    assert await xai.file(file.id) is None


@pytest.mark.parametrize("count", [99, 100, 101, 200])
async def test_files_are_read_to_the_end(xai: XaiClient, clock: Clock, pdf: Path, count: int) -> None:
    """All files come, the newest first, each once, on one page or several, full or not."""
    uploaded: list[str] = []
    for _ in range(count):
        clock.now += 1
        uploaded.append((await xai.upload(pdf, "f.pdf", "application/pdf")).id)
    assert [file.id async for file in xai.files_created_since(0)] == uploaded[::-1]


async def test_files_since(simulator: XaiSimulator, xai: XaiClient, clock: Clock, pdf: Path) -> None:
    """Reading stops at the first file that is too old; a file of the same second counts as new enough."""
    start = clock.now
    for _ in range(250):
        clock.now += 1
        await xai.upload(pdf, "f.pdf", "application/pdf")
    simulator.log.clear()
    times = [file.created_at async for file in xai.files_created_since(start + 241.9)]
    assert times == [start + 250 - number for number in range(10)]
    assert len(simulator.log.matching("GET")) == 1


async def test_find_upload_wants_exactly_this_name(xai: XaiClient, clock: Clock, pdf: Path) -> None:
    """Similar names are not it; several of the same name all are."""
    for name in ("a-1.pdf", "a-10.pdf", "A-1.pdf", "a-1.pdf"):
        clock.now += 1
        await xai.upload(pdf, name, "application/pdf")
    found = await xai.find_upload("a-1.pdf", 0)
    assert [file.filename for file in found] == ["a-1.pdf", "a-1.pdf"]


# --- collections -----------------------------------------------------------------------------------------------------


async def test_collection(xai: XaiClient) -> None:
    """A collection keeps its name and our back-reference, can be renamed, and is None once deleted."""
    made = await xai.create_collection("Räumungsklage - Müller", "EspoCRM Raeumungsklage/6b04cd4365475cb53")
    assert (made.name, made.description) == ("Räumungsklage - Müller", "EspoCRM Raeumungsklage/6b04cd4365475cb53")
    assert await xai.collection(made.id) == made
    await xai.rename_collection(made.id, "anders")
    renamed = await xai.collection(made.id)
    assert renamed is not None
    assert (renamed.name, renamed.description) == ("anders", made.description)
    assert await xai.delete_collection(made.id)
    assert not await xai.delete_collection(made.id)
    assert await xai.collection(made.id) is None


@pytest.mark.parametrize("token_on_last_page", [True, False])
async def test_collections_are_read_to_the_end(
    simulator: XaiSimulator, xai: XaiClient, *, token_on_last_page: bool
) -> None:
    """All collections come, each once, whether or not the last page has a token."""
    simulator.reconfigure(token_on_last_page=token_on_last_page)
    made = {(await xai.create_collection(f"c{number}", "")).id for number in range(200)}
    seen = [collection.id async for collection in xai.collections()]
    assert len(seen) == 200
    assert set(seen) == made


async def in_collection(xai: XaiClient, pdf: Path, name: str = NAME) -> tuple[str, str]:
    collection = await xai.create_collection("c", "")
    file = await xai.upload(pdf, name, "application/pdf")
    await xai.add_document(collection.id, file.id)
    return collection.id, file.id


async def test_document_on_its_way(simulator: XaiSimulator, xai: XaiClient, clock: Clock, pdf: Path) -> None:
    """A document is processing, under whatever name xAI has for it, until it is processed."""
    simulator.reconfigure(
        processing_time=4.0,
        stages=("CHUNKED", "DOCUMENT_STATUS_EMBEDDING", "NEVER_HEARD_OF", "DOCUMENT_STATUS_WRITING"),
    )
    collection, file = await in_collection(xai, pdf)
    seen: list[DocumentStatus] = []
    for _ in range(5):
        document = await xai.document(collection, file)
        assert document is not None
        seen.append(document.status)
        clock.now += 1.0
    assert seen == [DocumentStatus.PROCESSING] * 4 + [DocumentStatus.PROCESSED]
    assert document == CollectionDocument(file, NAME, 12, DocumentStatus.PROCESSED, "")


async def test_document_that_fails(simulator: XaiSimulator, xai: XaiClient, clock: Clock, pdf: Path) -> None:
    """A document that xAI cannot process says why."""
    simulator.reconfigure(failing_names={"*.pdf": "unreadable"})
    collection, file = await in_collection(xai, pdf)
    clock.now += 10
    document = await xai.document(collection, file)
    assert document is not None
    assert (document.status, document.error_message) == (DocumentStatus.FAILED, "unreadable")


@pytest.mark.parametrize("answer", list(RepeatedAdd))
async def test_adding_twice(simulator: XaiSimulator, xai: XaiClient, pdf: Path, answer: RepeatedAdd) -> None:
    """Adding what is there already is success, however xAI answers it."""
    simulator.reconfigure(repeated_add=answer)
    collection, file = await in_collection(xai, pdf)
    await xai.add_document(collection, file)
    assert [document.file_id async for document in xai.documents(collection)] == [file]


async def test_adding_that_is_refused_otherwise(simulator: XaiSimulator, xai: XaiClient, pdf: Path) -> None:
    """A refusal while the document is not there stays a refusal."""
    collection = await xai.create_collection("c", "")
    file = await xai.upload(pdf, NAME, "application/pdf")
    simulator.faults.add(FaultRule(kind=FaultKind.STATUS, method="POST", path="/documents/", status=400))
    with pytest.raises(Refused):
        await xai.add_document(collection.id, file.id)


async def test_adding_to_nothing(xai: XaiClient, pdf: Path) -> None:
    """A collection or a file that is gone is NotFound."""
    collection, file = await in_collection(xai, pdf)
    with pytest.raises(NotFound):
        await xai.add_document("collection_gone", file)
    with pytest.raises(NotFound):
        await xai.add_document(collection, "file_gone")


async def test_removing(xai: XaiClient, pdf: Path) -> None:
    """Removing says whether it was there, and leaves the file."""
    collection, file = await in_collection(xai, pdf)
    assert await xai.remove_document(collection, file)
    assert not await xai.remove_document(collection, file)
    assert await xai.document(collection, file) is None
    assert await xai.file(file) is not None


async def test_documents_are_read_to_the_end(xai: XaiClient, pdf: Path) -> None:
    """More than a page of documents comes whole."""
    collection = await xai.create_collection("c", "")
    files: set[str] = set()
    for number in range(120):
        file = await xai.upload(pdf, f"{number}.pdf", "application/pdf")
        await xai.add_document(collection.id, file.id)
        files.add(file.id)
    seen = [document.file_id async for document in xai.documents(collection.id)]
    assert len(seen) == 120
    assert set(seen) == files


# --- faults ----------------------------------------------------------------------------------------------------------


async def test_wrong_key(simulator: XaiSimulator) -> None:
    """A wrong key (which xAI answers with 400) is named as such, and does not stand in the message."""
    async with client(simulator, "xai-wrong-key-123456789") as stranger:
        for call in (stranger.file("file_x"), stranger.collection("collection_x")):
            with pytest.raises(CredentialsRefused, match="credentials refused") as caught:
                await call
            assert "123456789" not in str(caught.value)


@pytest.mark.parametrize("form", list(RetryAfter))
async def test_rate_limit(simulator: XaiSimulator, xai: XaiClient, form: RetryAfter) -> None:
    """A 429 is RateLimited with or without a time in either form; no call is repeated against it."""
    simulator.reconfigure(files_rate=0.01, retry_after=form)
    answers = await asyncio.gather(*(xai.file("file_x") for _ in range(3)), return_exceptions=True)
    limited = [answer for answer in answers if isinstance(answer, RateLimited)]
    assert limited
    assert all((answer.delay is None) == (form is RetryAfter.NONE) for answer in limited)
    assert len(simulator.log.entries) <= 3


async def test_answer_that_is_no_file(simulator: XaiSimulator, xai: XaiClient) -> None:
    """A page of a proxy instead of JSON is a passing fault."""
    simulator.faults.add(FaultRule(kind=FaultKind.STATUS, status=200, body="<html>"))
    with pytest.raises(TransientError):
        await xai.file("file_x")


# --- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "DOCUMENT_STATUS_UNKNOWN", "PROCESSING", "DOCUMENT_STATUS_CHUNKED", "new one"])
def test_unknown_status_is_still_at_work(text: str) -> None:
    """Whatever is neither processed nor failed means that xAI is still at work."""
    assert status_of(text) is DocumentStatus.PROCESSING


def test_numbers_as_texts() -> None:
    """64-bit numbers come as texts from the management host, as numbers from the other; both are numbers to us."""
    body = b'{"file_metadata": {"file_id": "f", "size_bytes": "12"}, "status": "DOCUMENT_STATUS_PROCESSED"}'
    assert decoded(body, WireDocument).read() == CollectionDocument("f", "", 12, DocumentStatus.PROCESSED, "")
    assert decoded(b'{"id": "f", "bytes": 12, "created_at": 5}', XaiFile) == XaiFile("f", "", 12, 5)
