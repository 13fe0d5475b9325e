"""EspoClient against the simulated EspoCRM, over real sockets."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from bitbylaw.common.errors import (
    CredentialsRefused,
    Executed,
    NotFound,
    PermanentError,
    RateLimited,
    Refused,
    StaleWrite,
    TransientError,
    UpstreamDown,
)
from bitbylaw.common.espocrm import where
from bitbylaw.common.espocrm.client import DuplicateFound, EspoClient
from bitbylaw.common.events import EntityRef
from bitbylaw.common.http.client import UpstreamClient
from bitbylaw.common.telemetry.metrics import Metrics
from bitbylaw.simulators.espocrm import EspoSimulator
from bitbylaw.simulators.faults import FaultKind, FaultRule

UNKNOWN = "6b04cd43a189d3000"


class Document(msgspec.Struct, rename="camel"):
    """A few attributes of a CDokumente."""

    id: str
    name: str
    version_number: int
    file_status: str | None = None


class Named(msgspec.Struct):
    id: str
    name: str = ""


@asynccontextmanager
async def client(simulator: EspoSimulator, key: str = "sync-key") -> AsyncIterator[EspoClient]:
    async with UpstreamClient(
        system="espocrm", base_url=simulator.api_url, headers={"X-Api-Key": key}, metrics=Metrics()
    ) as http:
        yield EspoClient(http, metadata_ttl=300)


@pytest.fixture
async def simulator() -> AsyncIterator[EspoSimulator]:
    async with EspoSimulator.running() as simulator:
        yield simulator


@pytest.fixture
async def espo(simulator: EspoSimulator) -> AsyncIterator[EspoClient]:
    async with client(simulator) as espo:
        yield espo


def new_document(simulator: EspoSimulator, name: str = "Räumungsklage Müller ./. Schmidt.pdf") -> EntityRef:
    return EntityRef("CDokumente", simulator.create("CDokumente", {"name": name})["id"])


async def test_read(simulator: EspoSimulator, espo: EspoClient) -> None:
    """A record comes as the type asked for, attributes it does not know left out, or whole as attributes."""
    ref = new_document(simulator)
    document = await espo.read(ref, Document)
    record = await espo.read(ref)
    assert (document.id, document.version_number) == (ref.id, 1)
    assert document.name == record["name"] == "Räumungsklage Müller ./. Schmidt.pdf"


@pytest.mark.parametrize("ref", [EntityRef("CDokumente", UNKNOWN), EntityRef("CNope", UNKNOWN)])
async def test_read_of_nothing(espo: EspoClient, ref: EntityRef) -> None:
    """An unknown record or entity type is NotFound."""
    with pytest.raises(NotFound):
        await espo.read(ref)


async def test_id_that_is_a_path(simulator: EspoSimulator, espo: EspoClient) -> None:
    """An id or an entity type that would change the path never reaches EspoCRM."""
    for ref in (EntityRef("CDokumente", "a/../../User"), EntityRef("CDokumente/x", "a"), EntityRef("", "a")):
        with pytest.raises(PermanentError):
            await espo.update(ref, {"name": "x"})
    assert not simulator.log.entries


async def test_update(simulator: EspoSimulator, espo: EspoClient) -> None:
    """An update returns the whole record as it is then, with its next version."""
    ref = new_document(simulator)
    document = await espo.update(ref, {"fileStatus": "synced"}, version=1, as_=Document)
    assert (document.file_status, document.version_number) == ("synced", 2)
    assert (await espo.update(ref, {"description": "ü"}))["name"] == document.name


async def test_update_of_an_old_version(simulator: EspoSimulator, espo: EspoClient) -> None:
    """Somebody else's write since the read makes ours stale: nothing is written, and it says so."""
    ref = new_document(simulator)
    simulator.update("CDokumente", ref.id, {"fileStatus": "changed"})
    with pytest.raises(StaleWrite) as caught:
        await espo.update(ref, {"fileStatus": "synced"}, version=1)
    assert caught.value.executed is Executed.NO
    assert (await espo.read(ref, Document)).file_status == "changed"


async def test_update_of_an_old_version_to_the_same_value(simulator: EspoSimulator, espo: EspoClient) -> None:
    """If the values are already as wanted, an old version is no conflict."""
    ref = new_document(simulator)
    simulator.update("CDokumente", ref.id, {"fileStatus": "synced"})
    assert (await espo.update(ref, {"fileStatus": "synced"}, version=1, as_=Document)).file_status == "synced"


async def test_refused_value(simulator: EspoSimulator, espo: EspoClient) -> None:
    """A value that EspoCRM does not accept is refused with its reason, without the value."""
    ref = new_document(simulator)
    with pytest.raises(Refused) as caught:
        await espo.update(ref, {"fileStatus": "Herr Meier"})
    assert caught.value.status == 400
    assert "PUT /CDokumente/{id} (write) answered 400" in str(caught.value)
    assert "fileStatus" in str(caught.value)
    assert "Meier" not in str(caught.value)


async def test_pages(simulator: EspoSimulator, espo: EspoClient) -> None:
    """Pages follow one another until one says that nothing follows; conditions and order hold."""
    names = [f"{number}.pdf" for number in range(5)]
    for name in names:
        simulator.create("CDokumente", {"name": name, "fileStatus": "new"})
    simulator.create("CDokumente", {"name": "other", "fileStatus": "synced"})
    seen: list[str] = []
    more = True
    while more:
        page = await espo.list_page(
            "CDokumente",
            where=[where.equals("fileStatus", "new"), where.is_not_null("name")],
            select=["id", "name"],
            order_by="name",
            order="desc",
            offset=len(seen),
            max_size=2,
            as_=Named,
        )
        assert page.total is None
        seen += [item.name for item in page.items]
        more = page.more
    assert seen == names[::-1]


async def test_counted_page(simulator: EspoSimulator, espo: EspoClient) -> None:
    """A page may be counted."""
    for _ in range(3):
        new_document(simulator)
    page = await espo.list_page("CDokumente", max_size=2, no_total=False)
    assert (page.total, len(page.items), page.more) == (3, 2, True)


async def test_condition_that_espocrm_does_not_know(espo: EspoClient) -> None:
    """A wrong condition is refused; it never means all records."""
    with pytest.raises(Refused):
        await espo.list_page("CDokumente", where=[where.equals("noSuchAttribute", 1)])


async def test_links(simulator: EspoSimulator, espo: EspoClient) -> None:
    """Linking and unlinking are idempotent, and seen from both sides."""
    ref = new_document(simulator)
    claim = EntityRef("Raeumungsklage", simulator.create("Raeumungsklage", {"name": "R"})["id"])
    for _ in range(2):
        await espo.link(ref, "raeumungsklages", claim.id)
    [linked] = (await espo.related(ref, "raeumungsklages", as_=Named)).items
    assert linked == Named(claim.id, "R")
    page = await espo.list_page("CDokumente", where=[where.linked_with("raeumungsklages", claim.id)], select=["id"])
    assert [item["id"] for item in page.items] == [ref.id]
    for _ in range(2):
        await espo.unlink(ref, "raeumungsklages", claim.id)
    assert (await espo.related(ref, "raeumungsklages")).items == []


async def test_create(espo: EspoClient) -> None:
    """A created record has an id and can be read."""
    created = await espo.create("CDokumente", {"name": "neu"}, Named)
    assert (await espo.read(EntityRef("CDokumente", created.id), Named)).name == "neu"


async def test_create_of_a_duplicate(espo: EspoClient) -> None:
    """EspoCRM's duplicate check names the records it found, and no personal data reaches the message."""
    first = await espo.create("Account", {"name": "Mandant GmbH"}, Named)
    with pytest.raises(DuplicateFound) as caught:
        await espo.create("Account", {"name": "Mandant GmbH"})
    assert caught.value.ids == (first.id,)
    assert "Mandant" not in str(caught.value)


async def test_metadata(simulator: EspoSimulator, espo: EspoClient) -> None:
    """Metadata is asked for once, an unknown key (EspoCRM answers an empty body) included."""
    for _ in range(2):
        field = await espo.metadata("entityDefs.CDokumente.fields.fileStatus")
        assert isinstance(field, dict)
        assert field["type"] == "enum"
        assert await espo.metadata("entityDefs.CNope") is None
    assert len(simulator.log.matching("GET", "/Metadata")) == 2


async def test_download(simulator: EspoSimulator, espo: EspoClient) -> None:
    """A file comes whole, with its size, type and raw UTF-8 name."""
    ref = new_document(simulator)
    content = bytes(range(256)) * 12_000
    attachment = simulator.attach("CDokumente", ref.id, "dokument", "anlage 1 ü.txt", content, "text/plain")
    digest = hashlib.sha256()
    async with espo.download(attachment) as download:
        assert (download.size, download.filename) == (len(content), "anlage 1 ü.txt")
        assert (download.content_type or "").startswith("text/plain")
        async for chunk in download.chunks:
            digest.update(chunk)
    assert digest.digest() == hashlib.sha256(content).digest()


async def test_download_that_is_cut(simulator: EspoSimulator, espo: EspoClient) -> None:
    """Half a file is an error, never a shorter file."""
    ref = new_document(simulator)
    attachment = simulator.attach("CDokumente", ref.id, "dokument", "a.txt", b"x" * 600_000)
    simulator.faults.add(FaultRule(kind=FaultKind.CUT_MIDDLE, path="/Attachment/file/"))
    with pytest.raises(TransientError):
        async with espo.download(attachment) as download:
            _ = [chunk async for chunk in download.chunks]


async def test_download_of_a_replaced_attachment(simulator: EspoSimulator, espo: EspoClient) -> None:
    """Replacing a file deletes the old attachment: NotFound."""
    ref = new_document(simulator)
    old = simulator.attach("CDokumente", ref.id, "dokument", "a.txt", b"old")
    simulator.attach("CDokumente", ref.id, "dokument", "a.txt", b"new")
    with pytest.raises(NotFound):
        async with espo.download(old):
            pass


async def test_wrong_key_and_the_guard_it_calls_up(simulator: EspoSimulator, espo: EspoClient) -> None:
    """A wrong key is refused in words and not tried again; the guard that shuts out everybody is kept by all calls."""
    ref = new_document(simulator)
    for _ in range(11):
        async with client(simulator, "wrong-key") as stranger:
            with pytest.raises(CredentialsRefused, match="EspoCRM refused the API key"):
                await stranger.read(ref)
            with pytest.raises(UpstreamDown):
                await stranger.read(ref)
    assert len(simulator.log.entries) <= 11
    before = len(simulator.log.entries)
    for _ in range(3):
        with pytest.raises(RateLimited) as caught:
            await espo.read(ref)
        assert caught.value.delay is not None
        assert 0 < caught.value.delay <= 60
    assert len(simulator.log.entries) == before + 1


async def test_plain_403_with_a_reason_is_permanent(simulator: EspoSimulator, espo: EspoClient) -> None:
    """A 403 that explains itself (no access) is refused for good, not taken for the guard."""
    ref = new_document(simulator)
    with pytest.raises(Refused) as caught:
        await espo.update(ref, {"accountId": UNKNOWN})
    assert caught.value.status == 403


async def test_maintenance(simulator: EspoSimulator, espo: EspoClient) -> None:
    """Maintenance is a passing fault."""
    ref = new_document(simulator)
    simulator.set_maintenance(on=True)
    with pytest.raises(TransientError):
        await espo.read(ref)
    simulator.set_maintenance(on=False)
    assert (await espo.read(ref, Named)).id == ref.id


async def test_lost_answer_of_a_write(simulator: EspoSimulator, espo: EspoClient) -> None:
    """A write whose answer is lost may have been executed (here it was) and is sent once."""
    ref = new_document(simulator)
    simulator.faults.add(FaultRule(kind=FaultKind.CUT_AFTER, method="PUT", count=1))
    with pytest.raises(TransientError) as caught:
        await espo.update(ref, {"fileStatus": "synced"})
    assert caught.value.executed is Executed.UNKNOWN
    assert (await espo.read(ref, Document)).file_status == "synced"
    assert len(simulator.log.matching("PUT")) == 1
