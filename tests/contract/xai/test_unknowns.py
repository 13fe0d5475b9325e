"""What the reference marks [U]: every answer xAI might give exists as a setting."""

import pytest

from bitbylaw.simulators.xai import (
    DanglingDocument,
    NonEmptyCollectionDeletion,
    RepeatedAdd,
    UndefinedField,
    UnknownInBatch,
    UsedFileDeletion,
)

from .caller import Caller


@pytest.mark.parametrize(
    ("rule", "status"), [(RepeatedAdd.ACCEPTED, 200), (RepeatedAdd.CONFLICT, 409), (RepeatedAdd.BAD_REQUEST, 400)]
)
async def test_adding_a_file_twice(caller: Caller, rule: RepeatedAdd, status: int) -> None:
    """The second add is 200, 409 or 400; in each case there is one document, and its indexing goes on."""
    caller.xai.reconfigure(repeated_add=rule)
    collection_id, file_id = await caller.new_document()
    caller.clock.advance(1)
    assert (await caller.add(collection_id, file_id)).status == status
    assert (await caller.document(collection_id, file_id)).json["status"] == "DOCUMENT_STATUS_PROCESSED"
    assert len(caller.xai.collections[0].documents) == 1


async def test_deleting_a_used_file_removes_its_documents(caller: Caller) -> None:
    """First possibility: 200, and the documents are gone with the file."""
    collection_id, file_id = await caller.new_document()
    assert (await caller.call("DELETE", f"/files/{file_id}")).status == 200
    assert (await caller.document(collection_id, file_id)).status == 404
    assert caller.xai.collections[0].documents == {}


async def test_deleting_a_used_file_is_refused(caller: Caller) -> None:
    """Second possibility: 400 until it is out of every collection."""
    caller.xai.reconfigure(used_file_deletion=UsedFileDeletion.REFUSED)
    collection_id, file_id = await caller.new_document()
    assert (await caller.call("DELETE", f"/files/{file_id}")).status == 400
    await caller.call("DELETE", f"/collections/{collection_id}/documents/{file_id}")
    assert (await caller.call("DELETE", f"/files/{file_id}")).status == 200


@pytest.mark.parametrize(
    ("form", "status", "listed"),
    [
        (DanglingDocument.UNCHANGED, "DOCUMENT_STATUS_PROCESSED", 1),
        (DanglingDocument.FAILED, "DOCUMENT_STATUS_FAILED", 1),
        (DanglingDocument.HIDDEN, None, 0),
    ],
)
async def test_deleting_a_used_file_leaves_its_documents(
    caller: Caller, form: DanglingDocument, status: str | None, listed: int
) -> None:
    """Third possibility: the document dangles, unchanged, as FAILED, or hidden (404) but still counted."""
    caller.xai.reconfigure(used_file_deletion=UsedFileDeletion.LEAVES_DOCUMENTS, dangling_document=form)
    collection_id, file_id = await caller.new_document()
    caller.clock.advance(1)
    assert (await caller.call("DELETE", f"/files/{file_id}")).status == 200
    document = await caller.document(collection_id, file_id)
    documents = (await caller.get(f"/collections/{collection_id}/documents")).json["documents"]
    assert (document.json.get("status"), len(documents)) == (status, listed)
    assert (await caller.get(f"/collections/{collection_id}")).json["documents_count"] == 1


async def test_dangling_document_can_be_removed(caller: Caller) -> None:
    """A visible dangling document can be taken out of its collection like any other."""
    caller.xai.reconfigure(used_file_deletion=UsedFileDeletion.LEAVES_DOCUMENTS)
    collection_id, file_id = await caller.new_document()
    await caller.call("DELETE", f"/files/{file_id}")
    assert (await caller.call("DELETE", f"/collections/{collection_id}/documents/{file_id}")).status == 200
    assert caller.xai.collections[0].documents == {}


@pytest.mark.parametrize(("rule", "status"), [(UnknownInBatch.OMITTED, 200), (UnknownInBatch.NOT_FOUND, 404)])
async def test_unknown_ids_in_batch_get(caller: Caller, rule: UnknownInBatch, status: int) -> None:
    """Unknown ids are left out, or the whole request is 404."""
    caller.xai.reconfigure(unknown_in_batch=rule)
    collection_id, file_id = await caller.new_document()
    answer = await caller.get(f"/collections/{collection_id}/documents:batchGet?file_ids={file_id}&file_ids=file-0")
    assert answer.status == status
    assert len(answer.json.get("documents", [])) == (1 if status == 200 else 0)


@pytest.mark.parametrize(
    ("rule", "status", "left"),
    [(NonEmptyCollectionDeletion.ALLOWED, 200, 0), (NonEmptyCollectionDeletion.REFUSED, 400, 1)],
)
async def test_deleting_a_collection_with_documents(
    caller: Caller, rule: NonEmptyCollectionDeletion, status: int, left: int
) -> None:
    """It is deleted with its documents, or refused with 400; an empty one can always be deleted."""
    caller.xai.reconfigure(non_empty_collection_deletion=rule)
    collection_id, _file_id = await caller.new_document()
    assert (await caller.call("DELETE", f"/collections/{collection_id}")).status == status
    assert len(caller.xai.collections) == left
    assert (await caller.call("DELETE", f"/collections/{await caller.new_collection()}")).status == 200


@pytest.mark.parametrize(("rule", "status"), [(UndefinedField.ACCEPTED, 200), (UndefinedField.REFUSED, 400)])
async def test_fields_that_are_not_defined(caller: Caller, rule: UndefinedField, status: int) -> None:
    """A `fields` key the collection does not define is kept, or refused with 400."""
    caller.xai.reconfigure(undefined_field=rule)
    collection_id = await caller.new_collection()
    assert (await caller.add(collection_id, await caller.new_file(), espocrm_id="1")).status == status
