"""Documents: files in collections, and their indexing (reference, Collections REST)."""

import hashlib

import pytest

from bitbylaw.simulators.xai import ALL_STAGES

from .caller import Caller


async def status_of(caller: Caller, collection_id: str, file_id: str) -> str:
    """The status of a document now."""
    return str((await caller.document(collection_id, file_id)).json["status"])


async def test_adding_says_nothing_and_reading_says_all(caller: Caller) -> None:
    """POST answers {}; GET has the file's metadata (size as text, SHA-256, RFC 3339), fields and status."""
    collection_id, file_id = await caller.new_collection(), await caller.new_file("Kündigung.txt", b"abc")
    added = await caller.add(collection_id, file_id, aktenZeichen="12 C 3/26")
    document = (await caller.document(collection_id, file_id)).json
    metadata = document["file_metadata"]
    assert (added.status, added.json) == (200, {})
    assert (metadata["file_id"], metadata["name"], metadata["size_bytes"]) == (file_id, "Kündigung.txt", "3")
    assert metadata["hash"] == hashlib.sha256(b"abc").hexdigest()
    assert metadata["created_at"].endswith("Z")
    assert document["fields"] == {"aktenZeichen": "12 C 3/26"}
    assert document["status"] == "DOCUMENT_STATUS_PROCESSING"
    assert (await caller.get(f"/collections/{collection_id}")).json["documents_count"] == 1


async def test_adding_without_a_body(caller: Caller) -> None:
    """The body with team and fields is optional."""
    collection_id, file_id = await caller.new_collection(), await caller.new_file()
    path = f"/collections/{collection_id}/documents/{file_id}"
    assert (await caller.call("POST", path)).status == 200


async def test_adding_what_does_not_exist_is_404(caller: Caller) -> None:
    """An unknown file or collection is 404; field values that are no text are 422."""
    collection_id, file_id = await caller.new_collection(), await caller.new_file()
    assert (await caller.add(collection_id, "file-0")).status == 404
    assert (await caller.add("collection_0", file_id)).status == 404
    path = f"/collections/{collection_id}/documents/{file_id}"
    assert (await caller.call("POST", path, json={"fields": {"a": 1}})).status == 422


async def test_processing_takes_its_time(caller: Caller) -> None:
    """A document is PROCESSING for the set time, then PROCESSED with the time of indexing."""
    collection_id, file_id = await caller.new_document()
    caller.clock.advance(0.29)
    assert await status_of(caller, collection_id, file_id) == "DOCUMENT_STATUS_PROCESSING"
    caller.clock.advance(0.02)
    document = (await caller.document(collection_id, file_id)).json
    assert document["status"] == "DOCUMENT_STATUS_PROCESSED"
    assert document["file_metadata"]["processing_status"] == "complete"
    assert document["last_indexed_at"]


async def test_stages_on_the_way(caller: Caller) -> None:
    """With stages the document is CHUNKED, EMBEDDING, WRITING in between, or whatever a newer xAI may say."""
    caller.xai.reconfigure(stages=(*ALL_STAGES, "DOCUMENT_STATUS_POLISHING"), processing_time=5.0)
    collection_id, file_id = await caller.new_document()
    seen = []
    for _ in range(6):
        seen.append((await status_of(caller, collection_id, file_id)).removeprefix("DOCUMENT_STATUS_"))
        caller.clock.advance(1)
    assert seen == ["PROCESSING", "CHUNKED", "EMBEDDING", "WRITING", "POLISHING", "PROCESSED"]


async def test_chosen_names_fail(caller: Caller) -> None:
    """A document whose name fits a failing pattern ends as FAILED with that error message."""
    caller.xai.reconfigure(failing_names={"*.exe": "unsupported file type"})
    collection_id, file_id = await caller.new_document(filename="virus.exe")
    caller.clock.advance(1)
    document = (await caller.document(collection_id, file_id)).json
    assert (document["status"], document["error_message"]) == ("DOCUMENT_STATUS_FAILED", "unsupported file type")
    assert document["file_metadata"]["processing_status"] == "failed"


async def test_regenerating_begins_anew(caller: Caller) -> None:
    """PATCH answers {} and the document is PROCESSING again; an unknown one is 404."""
    collection_id, file_id = await caller.new_document()
    caller.clock.advance(1)
    path = f"/collections/{collection_id}/documents/{file_id}"
    assert (await caller.call("PATCH", path)).json == {}
    assert await status_of(caller, collection_id, file_id) == "DOCUMENT_STATUS_PROCESSING"
    assert (await caller.call("PATCH", f"{path}0")).status == 404


async def test_removing_leaves_the_file(caller: Caller) -> None:
    """DELETE answers {}; the document is 404 then, for DELETE too, and the file still there."""
    collection_id, file_id = await caller.new_document()
    path = f"/collections/{collection_id}/documents/{file_id}"
    assert (await caller.call("DELETE", path)).json == {}
    assert (await caller.call("DELETE", path)).status == 404
    assert (await caller.get(path)).status == 404
    assert (await caller.get(f"/files/{file_id}")).status == 200


async def test_file_in_several_collections(caller: Caller) -> None:
    """A file can be in several collections; each has a document of its own."""
    file_id = await caller.new_file()
    collections = [await caller.new_collection(name) for name in ("a", "b", "c")]
    for collection_id in collections:
        await caller.add(collection_id, file_id)
    await caller.call("DELETE", f"/collections/{collections[0]}/documents/{file_id}")
    assert [len(view.documents) for view in caller.xai.collections] == [0, 1, 1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("status:DOCUMENT_STATUS_PROCESSED", {"alt.txt"}),
        ('name:"txt" AND status:!DOCUMENT_STATUS_PROCESSED', {"neu.txt"}),
        ('fields.az:"12 C 3/26"', {"neu.txt"}),
        ("size_bytes:>5", {"alt.txt"}),
        ("NOT name = alt", {"neu.txt"}),
    ],
)
async def test_filters(caller: Caller, text: str, expected: set[str]) -> None:
    """The filters of the reference: status, name, fields, size, with `!` and comparisons behind the colon."""
    collection_id = await caller.new_collection()
    await caller.add(collection_id, await caller.new_file("alt.txt", b"123456"))
    caller.clock.advance(1)
    await caller.add(collection_id, await caller.new_file("neu.txt", b"1"), az="12 C 3/26")
    answer = await caller.get(f"/collections/{collection_id}/documents", filter=text)
    assert {document["file_metadata"]["name"] for document in answer.json["documents"]} == expected


async def test_deprecated_name_parameter(caller: Caller) -> None:
    """`name` filters like the filter of that name."""
    collection_id, _file_id = await caller.new_document(filename="Klage.txt")
    for name, count in (("klage", 1), ("kündigung", 0)):
        answer = await caller.get(f"/collections/{collection_id}/documents", name=name)
        assert len(answer.json["documents"]) == count


async def test_list_is_sorted_and_paged(caller: Caller) -> None:
    """Three documents in pages of two are 2 and 1, in every order there is."""
    collection_id = await caller.new_collection()
    for name in ("b", "c", "a"):
        await caller.add(collection_id, await caller.new_file(name, name.encode() * ord(name)))
        caller.clock.advance(1)
    for sort_by, expected in (("NAME", "abc"), ("SIZE", "abc"), ("AGE", "bca")):
        asked: dict[str, str | int] = {
            "limit": 2,
            "sort_by": f"DOCUMENTS_SORT_BY_{sort_by}",
            "order": "ORDERING_ASCENDING",
        }
        path = f"/collections/{collection_id}/documents"
        first = (await caller.get(path, **asked)).json
        second = (await caller.get(path, pagination_token=first["pagination_token"], **asked)).json
        found = [document["file_metadata"]["name"] for page in (first, second) for document in page["documents"]]
        assert (len(first["documents"]), "".join(found)) == (2, expected)


async def test_batch_get(caller: Caller) -> None:
    """BatchGet answers the documents in the order of the ids asked for."""
    collection_id = await caller.new_collection()
    files = [await caller.new_file(name) for name in ("a", "b", "c")]
    for file_id in files:
        await caller.add(collection_id, file_id)
    query = f"file_ids={files[2]}&file_ids={files[0]}"
    answer = await caller.get(f"/collections/{collection_id}/documents:batchGet?{query}")
    assert [d["file_metadata"]["file_id"] for d in answer.json["documents"]] == [files[2], files[0]]


async def test_search_finds_words_in_processed_documents(caller: Caller) -> None:
    """Search takes the API key, finds only what is PROCESSED, best match first, up to the limit."""
    collection_id = await caller.new_collection()
    for name, content in (("1.txt", "Kündigung wegen Mietrückstand"), ("2.txt", "Kündigung"), ("3.txt", "Vollmacht")):
        await caller.add(collection_id, await caller.new_file(name, content.encode()))
    body = {"query": "Kündigung Mietrückstand", "source": {"collection_ids": [collection_id]}}

    async def scores(**more: object) -> list[float]:
        answer = await caller.call("POST", "/documents/search", json={**body, **more})
        return [match["score"] for match in answer.json["matches"]]

    assert await scores() == []
    caller.clock.advance(1)
    assert await scores() == [1.0, 0.5]
    assert await scores(limit=1) == [1.0]
    assert await scores(filter='name:"2.txt"') == [0.5]
    assert (await caller.call("POST", "/documents/search", json={"query": "x"})).status == 400
