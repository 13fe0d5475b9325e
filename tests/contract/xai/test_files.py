"""Reading, listing, filtering and deleting files (reference, Files REST)."""

import pytest

from .caller import Caller


async def pages(caller: Caller, path: str, items: str, **parameters: str | int) -> list[list[str]]:
    """Read a list to its end, which is a page that is not full; the ids of every page."""
    found: list[list[str]] = []
    token = ""
    limit = parameters["limit"]
    while not found or len(found[-1]) == limit:
        more = {"pagination_token": token} if token else {}
        answer = (await caller.get(path, **parameters, **more)).json
        token = answer["pagination_token"]
        found.append([item.get("id") or item.get("collection_id") for item in answer[items]])
    return found


async def names(caller: Caller, filter_text: str) -> set[str]:
    """The filenames a filter finds."""
    answer = await caller.get("/files", filter=filter_text)
    assert answer.status == 200, answer.json
    return {file["filename"] for file in answer.json["data"]}


async def test_file_can_be_read_and_its_content(caller: Caller) -> None:
    """GET answers the object of the upload; /content the bytes as octet-stream."""
    uploaded = (await caller.upload(b"\x00\xff", "a.bin")).json
    content = await caller.get(f"/files/{uploaded['id']}/content", format="original")
    assert (await caller.get(f"/files/{uploaded['id']}")).json == uploaded
    assert (content.raw, content.headers["Content-Type"]) == (b"\x00\xff", "application/octet-stream")


async def test_large_content_comes_back_whole(caller: Caller) -> None:
    """A content above 1 MiB, which is streamed from disk, is the same as before."""
    content = bytes(range(256)) * 8192
    file_id = await caller.new_file(content=content)
    assert (await caller.get(f"/files/{file_id}/content")).raw == content


async def test_unknown_content_format_is_400(caller: Caller) -> None:
    """Only original and text exist."""
    assert (await caller.get(f"/files/{await caller.new_file()}/content", format="pdf")).status == 400


async def test_deleted_file_is_404_everywhere(caller: Caller) -> None:
    """DELETE answers {id, object, deleted}; after that GET, content and DELETE are 404."""
    file_id = await caller.new_file()
    deleted = await caller.call("DELETE", f"/files/{file_id}")
    assert (deleted.status, deleted.json) == (200, {"id": file_id, "object": "file", "deleted": True})
    for method, path in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
        assert (await caller.call(method, f"/files/{file_id}{path}")).status == 404
    assert (await caller.get("/files")).json["data"] == []


async def test_paging_ends_with_a_page_that_is_not_full(caller: Caller) -> None:
    """Seven files in pages of three are 3, 3, 1; in pages of seven a full page and an empty one follow."""
    expected = [await caller.new_file(f"{number}.txt") for number in range(7)]
    by_threes = await pages(caller, "/files", "data", limit=3, sort_by="filename", order="asc")
    by_sevens = await pages(caller, "/files", "data", limit=7)
    assert by_threes == [expected[:3], expected[3:6], expected[6:]]
    assert [len(page) for page in by_sevens] == [7, 0]


async def test_token_is_always_there(caller: Caller) -> None:
    """The last page has a token as well, so it says nothing about the end."""
    await caller.new_file()
    assert (await caller.get("/files")).json["pagination_token"]


async def test_paging_survives_a_deletion(caller: Caller) -> None:
    """Deleting what was read does not make the next page skip anything."""
    expected = [await caller.new_file(f"{number}.txt") for number in range(4)]
    asked: dict[str, str | int] = {"limit": 2, "sort_by": "filename", "order": "asc"}
    token = (await caller.get("/files", **asked)).json["pagination_token"]
    await caller.call("DELETE", f"/files/{expected[0]}")
    rest = (await caller.get("/files", pagination_token=token, **asked)).json["data"]
    assert [file["id"] for file in rest] == expected[2:]


async def test_after_goes_on_behind_a_file(caller: Caller) -> None:
    """The older parameter `after` names the last file read."""
    expected = [await caller.new_file(f"{number}.txt") for number in range(3)]
    rest = (await caller.get("/files", after=expected[0], sort_by="filename", order="asc")).json["data"]
    assert [file["id"] for file in rest] == expected[1:]


async def test_without_sort_by_there_is_no_order(caller: Caller) -> None:
    """Unsorted lists follow neither age nor name, but paging through them still finds each file once."""
    expected = [await caller.new_file(f"{number:02}.txt") for number in range(20)]
    found = [file_id for page in await pages(caller, "/files", "data", limit=6) for file_id in page]
    assert sorted(found) == sorted(expected)
    assert found not in (expected, expected[::-1])


@pytest.mark.parametrize(
    ("sort_by", "expected"), [("filename", ["a", "b", "c"]), ("size", ["c", "a", "b"]), ("created_at", ["b", "c", "a"])]
)
async def test_sorting(caller: Caller, sort_by: str, expected: list[str]) -> None:
    """Files sort by name, size and age, both ways."""
    for name, content in (("b", b"xxx"), ("c", b"x"), ("a", b"xx")):
        await caller.new_file(name, content)
        caller.clock.advance(1)
    for order, names_in_order in (("asc", expected), ("desc", expected[::-1])):
        found = (await caller.get("/files", sort_by=sort_by, order=order)).json["data"]
        assert [file["filename"] for file in found] == names_in_order


@pytest.mark.parametrize(
    "wrong",
    [{"limit": 0}, {"limit": 101}, {"limit": "x"}, {"order": "up"}, {"sort_by": "id"}, {"pagination_token": "%"}]
    + [{"filter": text} for text in ('color = "red"', "name =", "(name = a", "name > a", "size_bytes = x", "= a")],
)
async def test_wrong_list_parameters_are_400(caller: Caller, wrong: dict[str, str | int]) -> None:
    """Limit is 1 to 100; orders, sorts, tokens, filter fields, operators and values must be known."""
    assert (await caller.get("/files", **wrong)).status == 400


async def test_filters(caller: Caller) -> None:
    """Name (fuzzy), file_id, size_bytes, content_type, created_at with = != > < AND, OR, NOT, null and brackets."""
    klage = await caller.new_file("Räumungsklage Groß.txt", b"1234")
    caller.clock.advance(60)
    noon = caller.clock()
    await caller.new_file("Kündigung Groß.txt", b"123456")
    both, first, second = (
        {"Räumungsklage Groß.txt", "Kündigung Groß.txt"},
        {"Räumungsklage Groß.txt"},
        {"Kündigung Groß.txt"},
    )
    assert await names(caller, 'name = "groß RÄUMUNG"') == first
    assert await names(caller, 'name:"groß"') == both
    assert await names(caller, 'name != "kündigung"') == first
    assert await names(caller, f'file_id = "{klage}"') == first
    assert await names(caller, "size_bytes > 4 AND size_bytes < 7") == second
    assert await names(caller, "size_bytes:>=4") == both
    assert await names(caller, f"created_at < {noon}") == first
    assert await names(caller, 'created_at > "2001-01-01T00:00:00Z"') == both
    assert await names(caller, 'content_type = "text/plain" AND NOT name = "klage"') == second
    assert await names(caller, f"file_id = {klage} OR size_bytes = 6") == both
    assert await names(caller, "(name = klage OR name = kündigung) AND size_bytes = 6") == second
    assert await names(caller, "expires_at = null") == both
    assert await names(caller, "expires_at != null") == set()
