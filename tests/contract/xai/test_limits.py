"""429 and the faults every simulator has (reference, Errors and limits)."""

from email.utils import parsedate_to_datetime

import aiohttp
import pytest

from bitbylaw.simulators.faults import FaultKind, FaultRule
from bitbylaw.simulators.xai import RetryAfter

from .caller import Caller


async def test_management_host_without_a_limit(caller: Caller) -> None:
    """[U] There may be none: fifty requests in no time pass."""
    assert {(await caller.get("/collections")).status for _ in range(50)} == {200}


async def test_management_host_with_a_limit(caller: Caller) -> None:
    """[U] Or n per second: the next one is 429, a second later n pass again; the Files host is not concerned."""
    caller.xai.reconfigure(management_rate=3.0)
    assert [(await caller.get("/collections")).status for _ in range(4)] == [200, 200, 200, 429]
    assert (await caller.get("/files")).status == 200
    caller.clock.advance(1)
    assert [(await caller.get("/collections")).status for _ in range(4)] == [200, 200, 200, 429]


async def test_files_host_with_a_limit(caller: Caller) -> None:
    """The Files host may have a limit of its own."""
    caller.xai.reconfigure(files_rate=1.0)
    assert [(await caller.get("/files")).status for _ in range(2)] == [200, 429]
    assert (await caller.get("/collections")).status == 200


@pytest.mark.parametrize("form", RetryAfter)
async def test_retry_after(caller: Caller, form: RetryAfter) -> None:
    """[U] 429 comes without Retry-After, with seconds, or with an HTTP date in the future; always with a body."""
    caller.xai.reconfigure(management_rate=0.1, retry_after=form)
    await caller.get("/collections")
    refused = await caller.get("/collections")
    sent = refused.headers.get("Retry-After")
    assert refused.status == 429
    assert set(refused.json) == {"code", "error"}
    if form is RetryAfter.NONE:
        assert sent is None
    elif form is RetryAfter.SECONDS:
        assert sent == "10"
    else:
        assert parsedate_to_datetime(str(sent)).timestamp() == caller.clock() + 10


async def test_lost_answer_of_an_upload(caller: Caller) -> None:
    """With cut_after the upload happens and its answer is lost: the next look finds the file."""
    caller.xai.faults.add(FaultRule(kind=FaultKind.CUT_AFTER, method="POST", path="/v1/files$", count=1))
    with pytest.raises(aiohttp.ClientError):
        await caller.upload()
    assert len(caller.xai.files) == len(caller.xai.uploads) == 1
    assert [entry.status for entry in caller.xai.log.matching("POST")] == [0]


async def test_requests_are_logged_by_route(caller: Caller) -> None:
    """The log names the route, so that calls can be counted whatever the ids."""
    await caller.document("collection_1", "file-1")
    assert dict(caller.xai.log.counters) == {"GET /v1/collections/{collection_id}/documents/{file_id}": 1}
