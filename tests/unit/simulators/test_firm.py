"""The sample law firm: its size, its files, its links, and loading it into a simulated EspoCRM."""

import csv
import io
import re
import time
from collections import Counter
from pathlib import Path

import docx
import pytest

from bitbylaw.simulators.espocrm import EspoConfig, EspoSimulator
from bitbylaw.simulators.faults import FaultKind, FaultRule
from bitbylaw.simulators.firm import FileFormat, Firm, LoadFailed, LoadProgress, law_firm, load

KEY = "sync-key"
EVERYTHING = 6 + 10 + 12 + 40


@pytest.fixture(scope="module")
def firm() -> Firm:
    return law_firm()


def test_counts(firm: Firm) -> None:
    """6 clients, 10 suits, 12 parties, 40 documents; names and keys are unique within each kind."""
    for items, count in ((firm.accounts, 6), (firm.klagen, 10), (firm.persons, 12), (firm.documents, 40)):
        assert len({item.name for item in items}) == len({item.key for item in items}) == len(items) == count


def test_same_seed_same_firm(firm: Firm) -> None:
    """The same seed gives equal data and equal files."""
    again = law_firm(1)
    assert again == firm
    assert [document.sha256 for document in again.documents] == [document.sha256 for document in firm.documents]


def test_files_do_not_depend_on_the_time(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rendered anew a year later, every file has the same bytes."""
    from bitbylaw.simulators.firm import rendering  # noqa: PLC0415 - only this test looks behind the cache

    before = [document.sha256 for document in firm.documents]
    rendering.rendered.cache_clear()
    later = time.time() + 365 * 86400
    monkeypatch.setattr(time, "time", lambda: later)
    assert [document.sha256 for document in firm.documents] == before


def test_another_seed_another_firm(firm: Firm) -> None:
    """Another seed makes other files, as many of them."""
    other = law_firm(2)
    assert len(other.documents) == 40
    assert not {document.sha256 for document in other.documents} & {document.sha256 for document in firm.documents}


@pytest.mark.parametrize("seed", range(1, 8))
def test_names_are_unique_for_every_seed(seed: int) -> None:
    """Whatever the dice say, records can be told apart by name, and contents by their hash."""
    firm = law_firm(seed)
    assert len({document.name for document in firm.documents}) == 40
    assert len({document.writing for document in firm.documents}) == 40
    assert len({klage.name for klage in firm.klagen}) == 10


def test_mix_of_formats(firm: Firm) -> None:
    """PDF and DOCX are the most, and every other format is there."""
    counts = Counter(document.format for document in firm.documents)
    assert set(counts) == set(FileFormat)
    assert [found for found, _count in counts.most_common(2)] == [FileFormat.PDF, FileFormat.DOCX]
    assert counts[FileFormat.TXT] >= 4


def test_every_file_can_be_read(firm: Firm) -> None:
    """PDFs have header and trailer, DOCX open and hold their title, the others are UTF-8 with umlauts."""
    for document in firm.documents:
        if document.format is FileFormat.PDF:
            assert document.content.startswith(b"%PDF-")
            assert document.content.rstrip().endswith(b"%%EOF")
        elif document.format is FileFormat.DOCX:
            opened = docx.Document(io.BytesIO(document.content))
            assert document.writing.title in [paragraph.text for paragraph in opened.paragraphs]
        else:
            assert re.search("[äöüÄÖÜß]", document.content.decode())


def test_csv_is_a_table(firm: Firm) -> None:
    """A CSV file has its heads and as many columns in every row."""
    tables = [document for document in firm.documents if document.format is FileFormat.CSV]
    assert len(tables) == 2
    for document in tables:
        rows = list(csv.reader(io.StringIO(document.content.decode()), delimiter=";"))
        assert tuple(rows[0]) == document.writing.table[0]
        assert {len(row) for row in rows} == {len(rows[0])}


def test_names_are_german(firm: Firm) -> None:
    """Umlauts, ß, spaces and `./.` occur in the names of records and of files."""
    for names in ([d.name for d in firm.documents], [d.filename for d in firm.documents]):
        together = "\n".join(names)
        for piece in ("ä", "ö", "ü", "ß", " ", "./."):
            assert piece in together
    assert all(document.filename.endswith(f".{document.format}") for document in firm.documents)


def test_links(firm: Firm) -> None:
    """Every document has an owner that exists; some have one, some three or more, some several suits."""
    keys = {item.key for items in (firm.accounts, firm.klagen, firm.persons) for item in items}
    assert all(document.owners and set(document.owners) <= keys for document in firm.documents)
    assert {1, 2, 3} <= {len(document.owners) for document in firm.documents}
    assert any(len(document.klagen) > 1 for document in firm.documents)
    assert any(document.account and document.klagen and document.persons for document in firm.documents)
    for kind in ("account", "klagen", "persons"):
        assert any(not getattr(document, kind) for document in firm.documents)


def test_write_to(firm: Firm, tmp_path: Path) -> None:
    """Every file is written under a name a disk takes."""
    paths = firm.write_to(tmp_path / "firm")
    assert sorted(tmp_path.glob("firm/*")) == sorted(paths)
    assert [path.read_bytes() for path in paths] == [document.content for document in firm.documents]


async def test_load_creates_everything(firm: Firm) -> None:
    """Everything is there, linked and with its file, within 5 s; at most eight requests at a time."""
    seen: list[LoadProgress] = []
    async with EspoSimulator.running(EspoConfig()) as crm:
        started = time.monotonic()
        loaded = await load(firm, crm.api_url, KEY, on_progress=seen.append)
        assert time.monotonic() - started < 5
        assert loaded.created == EVERYTHING
        assert (seen[-1].done, seen[-1].total, len(seen)) == (EVERYTHING, EVERYTHING, EVERYTHING)
        for document in firm.documents:
            record = crm.read("CDokumente", loaded.documents[document.key])
            assert (record["name"], record["dokumentName"]) == (document.name, document.filename)
            assert record.get("accountId") == (loaded.accounts[document.account] if document.account else None)
            assert set(record["raeumungsklagesIds"]) == {loaded.klagen[key] for key in document.klagen}
            assert set(record["cBeteiligtesIds"]) == {loaded.persons[key] for key in document.persons}
        entries = list(crm.log.entries)
        at_once = (sum(other.started <= one.started < other.ended for other in entries) for one in entries)
        assert max(at_once) <= 8


async def test_second_load_creates_nothing(firm: Firm) -> None:
    """What is there already is recognised: same ids, nothing posted."""
    async with EspoSimulator.running(EspoConfig()) as crm:
        first = await load(firm, crm.api_url, KEY)
        crm.log.clear()
        second = await load(firm, crm.api_url, KEY)
        assert second.created == 0
        assert (second.accounts, second.documents) == (first.accounts, first.documents)
        assert crm.log.matching("POST") == []


async def test_interrupted_load_goes_on(firm: Firm) -> None:
    """A refusal ends the load with its reason; the next one creates only what is missing."""
    async with EspoSimulator.running(EspoConfig()) as crm:
        rule = FaultRule(kind=FaultKind.STATUS, method="POST", path="/CDokumente$", skip=10, count=1, status=503)
        crm.faults.add(rule)
        with pytest.raises(LoadFailed) as failed:
            await load(firm, crm.api_url, KEY)
        assert failed.value.status == 503
        rest = await load(firm, crm.api_url, KEY)
        assert 0 < rest.created < 40
        assert len(set(rest.documents.values())) == 40


async def test_document_values_are_added(firm: Firm) -> None:
    """A customer's own field can be set on every document."""
    async with EspoSimulator.running(EspoConfig()) as crm:
        loaded = await load(firm, crm.api_url, KEY, document_values={"dateiStatus": "Neu"})
        states = {crm.read("CDokumente", record_id)["dateiStatus"] for record_id in loaded.documents.values()}
        assert states == {"Neu"}
