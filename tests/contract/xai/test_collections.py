"""Collections without their documents (reference, Collections REST)."""

import re

import pytest

from .caller import Caller


async def test_collection_is_answered_as_created(caller: Caller) -> None:
    """POST answers id, name, description and an RFC 3339 time; GET the same."""
    body = {"collection_name": "Räumungsklage Groß ./. Jäger", "collection_description": "espocrm:Raeumungsklage:1"}
    created = (await caller.call("POST", "/collections", json=body)).json
    assert re.fullmatch(r"collection_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", created["collection_id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", created["created_at"])
    assert (created["documents_count"], created["total_file_size"]) == (0, "0")
    assert body.items() <= created.items()
    assert (await caller.get(f"/collections/{created['collection_id']}")).json == created


async def test_there_is_no_metadata(caller: Caller) -> None:
    """A metadata map is ignored: collections have none."""
    collection_id = await caller.new_collection(metadata={"espocrm_id": "1"})
    assert "metadata" not in (await caller.get(f"/collections/{collection_id}")).json


async def test_two_collections_may_have_one_name(caller: Caller) -> None:
    """Names are not unique."""
    assert await caller.new_collection("Akte") != await caller.new_collection("Akte")


async def test_wrong_bodies(caller: Caller) -> None:
    """No name and no JSON are 400, a field of the wrong type 422, another content type 415."""
    for options, status in (
        ({"json": {}}, 400),
        ({"data": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"json": {"collection_name": 7}}, 422),
        ({"json": {"collection_name": "a", "metric_space": "HNSW_METRIC_L1"}}, 422),
        ({"data": b"{}", "headers": {"Content-Type": "text/plain"}}, 415),
    ):
        assert (await caller.call("POST", "/collections", **options)).status == status


async def test_change_in_either_spelling(caller: Caller) -> None:
    """PUT changes what it names, in snake_case or camelCase, and leaves the rest."""
    collection_id = await caller.new_collection("alt", collection_description="bleibt")
    changed = await caller.call("PUT", f"/collections/{collection_id}", json={"collectionName": "neu"})
    assert (changed.json["collection_name"], changed.json["collection_description"]) == ("neu", "bleibt")


async def test_field_definitions_change(caller: Caller) -> None:
    """New fields can be added unless required (400); deleting one takes its values out of the documents."""
    collection_id, file_id = await caller.new_document()
    path = f"/collections/{collection_id}"

    async def update(operation: str, **definition: object) -> int:
        change = {"field_definition": {"key": "az", **definition}, "operation": f"FIELD_DEFINITION_{operation}"}
        return (await caller.call("PUT", path, json={"field_definition_updates": [change]})).status

    assert await update("ADD", required=True) == 400
    assert await update("ADD") == 200
    other_file = await caller.new_file()
    await caller.add(collection_id, other_file, az="12 C 3/26")
    assert (await caller.document(collection_id, other_file)).json["fields"] == {"az": "12 C 3/26"}
    assert await update("DELETE") == 200
    assert (await caller.document(collection_id, other_file)).json["fields"] == {}
    assert (await caller.document(collection_id, file_id)).status == 200


async def test_required_and_unique_fields(caller: Caller) -> None:
    """A document lacks a required field or repeats a unique one: 400."""
    definitions = [{"key": "id", "required": True, "unique": True}]
    collection_id = await caller.new_collection(field_definitions=definitions)
    assert (await caller.add(collection_id, await caller.new_file())).status == 400
    assert (await caller.add(collection_id, await caller.new_file(), id="1")).status == 200
    assert (await caller.add(collection_id, await caller.new_file(), id="1")).status == 400


async def test_deleted_collection_is_404_and_its_files_stay(caller: Caller) -> None:
    """DELETE answers {}; the collection and its documents are 404, the file is not."""
    collection_id, file_id = await caller.new_document()
    deleted = await caller.call("DELETE", f"/collections/{collection_id}")
    assert (deleted.status, deleted.json) == (200, {})
    for path in ("", "/documents", f"/documents/{file_id}", "/documents:batchGet"):
        assert (await caller.get(f"/collections/{collection_id}{path}")).status == 404
    assert (await caller.call("DELETE", f"/collections/{collection_id}")).status == 404
    assert (await caller.get(f"/files/{file_id}")).status == 200


async def test_list_sorts_by_name_falling_unless_told(caller: Caller) -> None:
    """Defaults are COLLECTIONS_SORT_BY_NAME and ORDERING_DESCENDING; age and the other direction exist."""
    for name in ("b", "c", "a"):
        await caller.new_collection(name)
        caller.clock.advance(1)

    async def listed(**parameters: str) -> str:
        answer = (await caller.get("/collections", **parameters)).json
        return "".join(collection["collection_name"] for collection in answer["collections"])

    assert await listed() == "cba"
    assert await listed(order="ORDERING_ASCENDING") == "abc"
    assert await listed(sort_by="COLLECTIONS_SORT_BY_AGE", order="ORDERING_ASCENDING") == "bca"


async def test_list_is_paged(caller: Caller) -> None:
    """Five collections in pages of two are 2, 2, 1."""
    for number in range(5):
        await caller.new_collection(f"Akte {number}")
    sizes: list[int] = []
    token = ""
    while not sizes or sizes[-1] == 2:
        page = (await caller.get("/collections", limit=2, pagination_token=token)).json
        token = page["pagination_token"]
        sizes.append(len(page["collections"]))
    assert sizes == [2, 2, 1]


@pytest.mark.parametrize(("always", "token_expected"), [(True, True), (False, False)])
async def test_token_on_the_last_page(caller: Caller, *, always: bool, token_expected: bool) -> None:
    """[U] Whether the management host sends a token with the last page is a setting."""
    caller.xai.reconfigure(token_on_last_page=always)
    await caller.new_collection()
    assert bool((await caller.get("/collections")).json["pagination_token"]) is token_expected


async def test_filters(caller: Caller) -> None:
    """collection_id, collection_name (in part) and documents_count filter; an unknown field is 400."""
    full, _file_id = await caller.new_document()
    empty = await caller.new_collection("Beteiligte Groß")
    for text, expected in (
        (f"collection_id = {empty}", {empty}),
        ('collection_name:"groß"', {empty}),
        ("documents_count > 0", {full}),
        ("created_at > 2001-01-01T00:00:00Z", {empty, full}),
    ):
        found = (await caller.get("/collections", filter=text)).json["collections"]
        assert {collection["collection_id"] for collection in found} == expected
    assert (await caller.get("/collections", filter="status = x")).status == 400
