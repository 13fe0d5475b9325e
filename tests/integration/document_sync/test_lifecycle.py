"""Create, replace, delete and restore of a document, from EspoCRM's signed webhook to xAI and back."""

import hashlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.support.documents import Firm, running

from bitbylaw.simulators.espocrm import EspoConfig
from bitbylaw.simulators.espocrm.catalogue import captured_schema

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def firm(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Firm]:
    """A firm with two workers."""
    async with running(tmp_path_factory.mktemp("firm")) as firm, firm.worker(), firm.worker():
        yield firm


async def test_created_document_is_in_xai_and_espocrm_says_so(firm: Firm) -> None:
    """A new document ends as one file in its owners' collections, and every field of EspoCRM tells so."""
    klage, mandant = firm.owner(name="Räumungsklage Weiß"), firm.owner("Account", "Mandant GmbH")
    document = firm.document("Räumung bis Ende März".encode(), klage, mandant)
    await firm.settle()
    firm.right(document)
    assert len(firm.uploads(document)) == 1


async def test_file_name_is_deterministic_and_keeps_umlauts(firm: Firm) -> None:
    """The name in xAI is document, digest and EspoCRM's file name, umlauts as they are."""
    content = b"Vollmacht"
    document = firm.document(content, firm.owner(), file="Größe & Maß für Übergabe.txt")
    await firm.settle()
    digest = hashlib.sha256(content).hexdigest()[:16]
    assert [file.filename for file in firm.files(document)] == [f"{document}-{digest}-Größe & Maß für Übergabe.txt"]


async def test_collection_is_named_after_its_owner_and_refers_back(firm: Firm) -> None:
    """A collection's name says whose it is, its description is the exact way back, and the owner keeps its id."""
    klage, person = firm.owner(name="Weiß ./. Groß"), firm.owner("CBeteiligte", "Anna Weiß")
    document = firm.document(b"Mietvertrag", klage, person)
    await firm.settle()
    firm.right(document)
    by_id = {collection.id: collection for collection in firm.xai.collections}
    for (entity_type, entity_id), name in ((klage, "Weiß ./. Groß"), (person, "Anna Weiß")):
        kept = firm.espo.read(entity_type, entity_id)["xaiCollectionId"]
        assert by_id[kept].name == f"{entity_type} - {name}"
        assert by_id[kept].collection.description == f"EspoCRM {entity_type}/{entity_id}"


async def test_twenty_documents_at_once_make_one_collection(firm: Firm) -> None:
    """Twenty documents of one new Räumungsklage, spread over two workers, end in one collection."""
    klage = firm.owner()
    documents = [firm.document(f"Anlage {number}".encode(), klage) for number in range(20)]
    await firm.post_webhook("document/create", *documents)  # before their Räumungsklage's own
    await firm.clean(*documents)
    await firm.settle()
    firm.right(*documents)
    assert len(firm.collections(klage)) == 1
    handled = [await worker.metric("bitbylaw_handler_seconds_count") for worker in firm.processes[-2:]]
    assert min(handled) > 0, "both workers took part"


async def test_unchanged_content_uploads_nothing(firm: Firm) -> None:
    """A changed name, and an equal file under a new attachment, upload nothing; all stays as it was."""
    document = firm.document(b"Klageerwiderung", firm.owner())
    await firm.settle()
    firm.espo.update("CDokumente", document, {"name": "Anderer Name"})
    await firm.settle()
    firm.replace(document, b"Klageerwiderung")
    await firm.settle()
    firm.right(document)
    assert len(firm.uploads(document)) == 1


async def test_changed_content_replaces_the_file_everywhere_then_deletes_it(firm: Firm) -> None:
    """The new file is in every collection before the old one leaves them; the old one is deleted last."""
    owners = [firm.owner(), firm.owner(), firm.owner("Account", "Vermieter KG")]
    document = firm.document(b"erste Fassung", *owners)
    await firm.settle()
    (old,) = firm.files(document)
    firm.replace(document, b"zweite Fassung")
    await firm.settle()
    firm.right(document)
    (new,) = firm.files(document)
    assert new.id != old.id
    order = [(entry.method, new.id in entry.path) for entry in firm.writes(document) if "documents" in entry.path]
    assert order == [("POST", False)] * 3 + [("POST", True)] * 3 + [("DELETE", False)] * 3
    assert firm.writes(document)[-2].path.endswith(f"/files/{old.id}"), "deleted last, then EspoCRM is told"


async def test_deleted_document_leaves_its_collections_and_keeps_its_file(firm: Firm) -> None:
    """Deleting detaches the file everywhere; the file itself stays, nothing is a dead letter."""
    document = firm.document(b"zu viel", firm.owner(), firm.owner("Account", "Mandant"))
    await firm.settle()
    firm.espo.delete("CDokumente", document)
    await firm.settle()
    firm.right(document)
    assert len(firm.files(document)) == 1
    assert not await firm.dead_letters(document)


async def test_restored_document_is_back_without_an_upload(firm: Firm) -> None:
    """A restored document (EspoCRM sends nothing; its next event does) is in its collections again, same file."""
    document = firm.document(b"doch wichtig", firm.owner(), firm.owner("CBeteiligte", "Berta Groß"))
    await firm.settle()
    firm.espo.delete("CDokumente", document)
    await firm.settle()
    firm.espo.restore("CDokumente", document)
    await firm.nats_pub("vmh.document.update", f'{{"entity_id":"{document}"}}'.encode())
    await firm.settle()
    firm.right(document)
    assert len(firm.uploads(document)) == 1


async def test_unlinked_and_relinked_document_follows_its_links(firm: Firm) -> None:
    """Changed links change the collections, no link means none; the file is uploaded once through all of it."""
    first, second = firm.owner(), firm.owner("Account", "Zweitmandant")
    document = firm.document(b"Gutachten", first)
    for owners in ([first, second], [second], [], [first]):
        firm.relink(document, *owners)
        await firm.settle()
        firm.right(document)
    assert len(firm.uploads(document)) == 1


async def test_removed_file_is_removed_from_xai(firm: Firm) -> None:
    """A document whose file was taken away has none in xAI either."""
    document = firm.document(b"geheim", firm.owner())
    await firm.settle()
    firm.espo.update("CDokumente", document, {"dokumentId": None})
    await firm.settle()
    firm.right(document)
    assert firm.files(document) == []


@pytest.mark.parametrize("status", ["Neu", "Geändert"])
async def test_datei_status_asks_for_a_sync(firm: Firm, status: str) -> None:
    """`dateiStatus` Neu or Geändert is honoured: the content is compared, and it says Synchronisiert after."""
    document = firm.document(b"Inhalt", firm.owner(), dateiStatus=status)
    await firm.settle()
    firm.right(document)
    assert firm.shown(document)["dateiStatus"] == "Synchronisiert"
    downloads = len(firm.espo.log.matching("GET", firm.shown(document)["dokumentId"]))
    firm.espo.update("CDokumente", document, {"dateiStatus": status})
    await firm.settle()
    firm.right(document)
    assert firm.shown(document)["dateiStatus"] == "Synchronisiert"
    assert len(firm.espo.log.matching("GET", firm.shown(document)["dokumentId"])) == downloads + 1
    assert len(firm.uploads(document)) == 1


async def test_plain_publish_syncs_the_document(firm: Firm) -> None:
    """`nats pub vmh.document.update` with an id alone, without any header, syncs that document."""
    document = firm.document(b"von Hand", firm.owner())
    await firm.nats_pub("vmh.document.update", f'{{"entity_id":"{document}"}}'.encode())
    await firm.clean(document)
    await firm.settle()
    firm.right(document)


async def test_crm_without_our_fields_works_too(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A CRM without `dateiStatus`, and persons without a field for their collection: synced, one collection each.

    The second worker has nothing in memory: what it knows of the person's collection comes from our journal.
    """
    crm = EspoConfig(schema=captured_schema())
    async with running(tmp_path_factory.mktemp("captured"), espo=crm) as firm:
        person, mandant = firm.owner("CBeteiligte", "Clara Ohnefeld"), firm.owner("Account", "Ohnefeld AG")
        async with firm.worker():
            first = firm.document(b"eins", person, mandant)
            await firm.settle()
        async with firm.worker():
            second = firm.document(b"zwei", person, mandant)
            await firm.settle()
            firm.espo.update("CDokumente", first, {"name": "eins, umbenannt"})
            firm.replace(second, b"zwei, neu")
            await firm.settle()
        firm.right(first, second)
        written = {entry.path for entry in firm.espo.log.entries if entry.method not in {"GET", "HEAD"}}
        assert not [path for path in written if "CBeteiligte" in path or "Account" in path]
