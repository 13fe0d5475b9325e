"""Keys and permissions of both hosts (reference, Hosts and keys; Errors)."""

import pytest

from bitbylaw.simulators.xai import Permission

from .caller import Caller

ROUTES = ["/files", "/collections"]


@pytest.mark.parametrize("path", ROUTES)
async def test_missing_key_is_401(caller: Caller, path: str) -> None:
    """Without an Authorization header the answer is 401 with `code` and `error`."""
    answer = await caller.call("GET", path, key="")
    assert answer.status == 401
    assert set(answer.json) == {"code", "error"}


async def test_another_scheme_is_401(caller: Caller) -> None:
    """An Authorization header that is no Bearer is an invalid one: 401."""
    answer = await caller.call("GET", "/files", key="", headers={"Authorization": "Basic eDp5"})
    assert answer.status == 401


@pytest.mark.parametrize("path", ROUTES)
async def test_wrong_key_is_400(caller: Caller, path: str) -> None:
    """A wrong key is 400 with the text `Incorrect API key provided: …`, the key shown in part only."""
    answer = await caller.call("GET", path, key="xai-wrong-62")
    assert answer.status == 400
    assert answer.json["code"] == "Client specified an invalid argument"
    assert answer.json["error"].startswith("Incorrect API key provided: xa***62")


async def test_each_host_takes_its_own_key_only(caller: Caller) -> None:
    """The API key does not open the management host, nor the management key the Files host."""
    assert (await caller.call("GET", "/collections", key=caller.xai.api_key)).status == 400
    assert (await caller.call("GET", "/files", key=caller.xai.management_key)).status == 400


async def test_management_key_needs_the_collections_endpoint(caller: Caller) -> None:
    """Without that permission every route of the management host is 403; the Files host is not concerned."""
    caller.xai.reconfigure(permissions=frozenset({Permission.ADD_FILE_TO_COLLECTION}))
    assert (await caller.get("/collections")).status == 403
    assert (await caller.get("/files")).status == 200


async def test_adding_needs_its_own_permission(caller: Caller) -> None:
    """Without AddFileToCollection a collection can be made, but adding to it is 403."""
    caller.xai.reconfigure(permissions=frozenset({Permission.COLLECTIONS_ENDPOINT}))
    collection_id, file_id = await caller.new_collection(), await caller.new_file()
    assert (await caller.add(collection_id, file_id)).status == 403


async def test_blocked_key_is_403(caller: Caller) -> None:
    """A key that has been blocked is 403."""
    caller.xai.reconfigure(blocked_keys=frozenset({caller.xai.api_key}))
    assert (await caller.get("/files")).status == 403


async def test_unknown_route_and_method(caller: Caller) -> None:
    """An unknown route is 404 and a wrong method 405, both with xAI's error body."""
    unknown, wrong = await caller.get("/nothing"), await caller.call("PUT", "/files")
    assert (unknown.status, wrong.status) == (404, 405)
    assert set(unknown.json) == set(wrong.json) == {"code", "error"}
