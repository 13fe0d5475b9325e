"""What the reference states and no captured exchange shows: guard, access, files, conditions, faults, restarts."""

import asyncio
import json
import random
import signal
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
import pytest

from bitbylaw.simulators.espocrm import EspoConfig, EspoError, EspoSimulator, law_firm_schema
from bitbylaw.simulators.faults import FaultKind, FaultRule

from .bench import LISTENER, OTHER, READER, SYNC, Stage

MIB = 1024 * 1024


@asynccontextmanager
async def _espo() -> AsyncIterator[tuple[EspoSimulator, Stage, aiohttp.ClientSession]]:
    stage = Stage()
    async with EspoSimulator.running(stage.config()) as espo:
        headers = {"X-Api-Key": espo.users[SYNC].api_key or ""}
        async with aiohttp.ClientSession(f"{espo.api_url}/", headers=headers) as session:
            yield espo, stage, session


async def test_the_guard_locks_out_everyone_and_forgets_after_a_minute() -> None:
    """Fourteen bad keys give 401 eleven times, then 403, also for a good key, which works again 61 s later."""
    async with _espo() as (_, stage, session):
        statuses = []
        for _ in range(14):
            async with session.get("Account", headers={"X-Api-Key": "bad"}) as answer:
                statuses.append(answer.status)
        async with session.get("Account") as locked:
            assert (locked.status, "X-Status-Reason" in locked.headers) == (403, False)
        stage.now += 61
        async with session.get("Account") as answer:
            statuses.append(answer.status)
        assert statuses == [401] * 11 + [403] * 3 + [200]


async def test_maintenance_answers_503() -> None:
    """While maintenance is on every call gets 503, afterwards the usual answer."""
    async with _espo() as (espo, _, session):
        espo.set_maintenance(on=True)
        async with session.get("Account") as answer:
            assert answer.status == 503
        espo.set_maintenance(on=False)
        async with session.get("Account") as answer:
            assert answer.status == 200


async def test_a_large_file_lies_on_disk_and_is_streamed_back() -> None:
    """A file of 5 MiB goes in as one data URL, is kept outside memory, and comes back whole and in parts."""
    content = random.Random(1).randbytes(5 * MIB)  # noqa: S311 - no two parts alike, nothing secret
    async with _espo() as (espo, _, session):
        document = espo.create("CDokumente", {"name": "d"}, SYNC)["id"]
        attachment = espo.attach("CDokumente", document, "dokument", "gross.bin", content, user=SYNC)
        assert isinstance(espo.core.blobs.where(attachment), Path)
        async with session.get(f"Attachment/file/{attachment}") as whole:
            assert await whole.read() == content
        async with session.get(f"Attachment/file/{attachment}", headers={"Range": f"bytes={3 * MIB}-"}) as part:
            assert (part.status, await part.read()) == (206, content[3 * MIB :])
            assert part.headers["Content-Range"] == f"bytes {3 * MIB}-{5 * MIB - 1}/{5 * MIB}"


async def test_chunks_make_one_file() -> None:
    """Chunks are put together in the order they come; the last one ends the upload."""
    async with _espo() as (espo, _, session):
        upload = {"name": "c", "type": "a/b", "field": "dokument", "relatedType": "CDokumente", "size": 5}
        async with session.post("Attachment", json={**upload, "isBeingUploaded": True}) as created:
            attachment = (await created.json())["id"]
        for chunk in (b"abc", b"de"):
            body = b"data:a/b;base64," + b64encode(chunk)
            async with session.post(f"Attachment/chunk/{attachment}", data=body) as answer:
                assert await answer.read() == b"true"
        assert espo.file(attachment) == b"abcde"
        assert espo.read("Attachment", attachment)["isBeingUploaded"] is False


async def test_a_strangers_upload_cannot_be_attached() -> None:
    """An attachment another API user uploaded is refused with 403, and so is reading it until it is attached."""
    async with _espo() as (espo, _, _session):
        document = espo.create("CDokumente", {"name": "d"}, SYNC)["id"]
        upload = {"name": "x", "type": "text/plain", "field": "dokument", "relatedType": "CDokumente"}
        data = {**upload, "file": "data:text/plain;base64,eA=="}
        attachment = espo.core.records.create(espo.users[OTHER], "Attachment", data).id
        with pytest.raises(EspoError, match="403"):
            espo.update("CDokumente", document, {"dokumentId": attachment}, SYNC)
        with pytest.raises(EspoError, match="403"):
            espo.read("Attachment", attachment, SYNC)
        espo.update("CDokumente", document, {"dokumentId": attachment}, OTHER)
        assert espo.read("Attachment", attachment, SYNC)["relatedId"] == document


async def test_only_who_may_read_the_record_may_read_its_file() -> None:
    """The read-only user reads the file of a record it may read, but not a stranger's loose upload."""
    async with _espo() as (espo, _, session):
        document = espo.create("CDokumente", {"name": "d"}, SYNC)["id"]
        attachment = espo.attach("CDokumente", document, "dokument", "ä.txt", b"x", "text/plain", SYNC)
        key = {"X-Api-Key": espo.users[READER].api_key or ""}
        async with session.get(f"Attachment/file/{attachment}", headers=key) as answer:
            assert (answer.status, await answer.read()) == (200, b"x")


async def test_a_replaced_file_is_gone_with_its_content() -> None:
    """The old attachment answers 404, and nothing is kept of it."""
    async with _espo() as (espo, _, session):
        document = espo.create("CDokumente", {"name": "d"}, SYNC)["id"]
        old = espo.attach("CDokumente", document, "dokument", "alt.txt", b"alt", user=SYNC)
        new = espo.attach("CDokumente", document, "dokument", "neu.txt", b"neu", user=SYNC)
        async with session.get(f"Attachment/file/{old}") as answer:
            assert answer.status == 404
        with pytest.raises(FileNotFoundError):
            espo.file(old)
        assert espo.file(new) == b"neu"


async def test_an_attachment_moves_to_the_record_that_takes_it_last() -> None:
    """The same attachment on a second record is accepted, and belongs to that one from then on."""
    async with _espo() as (espo, _, _session):
        first, second = (espo.create("CDokumente", {"name": name}, SYNC)["id"] for name in "ab")
        attachment = espo.attach("CDokumente", first, "dokument", "x", b"x", user=SYNC)
        espo.update("CDokumente", second, {"dokumentId": attachment}, SYNC)
        assert espo.read("CDokumente", first)["dokumentId"] == attachment
        assert espo.read("Attachment", attachment)["relatedId"] == second


async def test_what_the_server_sets_cannot_be_sent() -> None:
    """Creator, times and version of a PUT are dropped, and so is the id; the rest of it is stored."""
    async with _espo() as (espo, _, _session):
        made = espo.create("CDokumente", {"name": "d"}, SYNC)
        forged = {"createdById": espo.users[OTHER].id, "createdAt": "2001-01-01 00:00:00", "versionNumber": 99}
        after = espo.update("CDokumente", made["id"], {**forged, "id": "x", "name": " e "}, SYNC)
        kept = {name: after[name] for name in ("id", "createdById", "createdAt")}
        assert kept == {name: made[name] for name in kept}
        assert (after["versionNumber"], after["name"]) == (2, "e")


async def test_a_deleted_record_is_in_no_list_until_it_is_restored() -> None:
    """Neither lists nor links show it; restored, it is back in both."""
    async with _espo() as (espo, _, session):
        eviction = espo.create("Raeumungsklage", {"name": "rk"}, SYNC)["id"]
        document = espo.create("CDokumente", {"name": "d", "raeumungsklagesIds": [eviction]}, SYNC)["id"]

        async def seen() -> tuple[int, list[str]]:
            async with session.get("Raeumungsklage") as answer:
                total: int = (await answer.json())["total"]
            return total, espo.read("CDokumente", document)["raeumungsklagesIds"]

        espo.delete("Raeumungsklage", eviction, SYNC)
        assert await seen() == (0, [])
        espo.restore("Raeumungsklage", eviction)
        assert await seen() == (1, [eviction])


async def test_links_change_neither_time_nor_version_of_either_side() -> None:
    """Linking and unlinking over the endpoint leaves modifiedAt and versionNumber alone, for m:n and for 1:n."""
    async with _espo() as (espo, stage, _session):
        account = espo.create("Account", {"name": "A"}, SYNC)
        document = espo.create("CDokumente", {"name": "d"}, SYNC)
        stage.now += 60
        espo.link("Account", account["id"], "cDokumentes", document["id"], user=OTHER)
        linked = espo.read("CDokumente", document["id"])
        assert linked["accountId"] == account["id"]
        assert (linked["modifiedAt"], linked["versionNumber"]) == (document["modifiedAt"], 1)
        espo.unlink("Account", account["id"], "cDokumentes", document["id"], user=OTHER)
        assert espo.read("CDokumente", document["id"]) == document
        assert espo.read("Account", account["id"]) == account


async def test_the_link_hook_is_silent_on_repetition() -> None:
    """With the hook, linking what is linked and unlinking what is not fires nothing, for m:n and for 1:n."""
    async with _espo() as (espo, _, _session):
        espo.install_link_hook()
        account = espo.create("Account", {"name": "A"}, SYNC)["id"]
        eviction = espo.create("Raeumungsklage", {"name": "rk"}, SYNC)["id"]
        document = espo.create("CDokumente", {"name": "d"}, SYNC)["id"]
        for event in ("Account.link", "Account.unlink", "CDokumente.link", "CDokumente.unlink"):
            espo.register_webhook(event, f"http://{LISTENER}/x", SYNC)
        counts = []
        for change in (espo.link, espo.link, espo.unlink, espo.unlink):
            change("Account", account, "cDokumentes", document)
            change("CDokumente", document, "raeumungsklages", eviction)
            counts.append(espo.waiting_events)
        assert counts == [2, 2, 4, 4]


async def test_a_users_webhooks_are_its_own() -> None:
    """Another API user can neither read nor change nor delete a webhook; an admin can."""
    async with _espo() as (espo, _, _session):
        webhook, secret = espo.register_webhook("Account.create", f"http://{LISTENER}/x", SYNC)
        for act in (lambda: espo.read("Webhook", webhook, OTHER), lambda: espo.delete("Webhook", webhook, OTHER)):
            with pytest.raises(EspoError, match="403"):
                act()
        assert len(secret) == 32
        espo.delete("Webhook", webhook)


async def test_lists_cut_long_texts_and_single_reads_do_not() -> None:
    """A text of 10,001 characters loses its last one in a list only."""
    async with _espo() as (espo, _, session):
        text = "ä" * 10_001
        account = espo.create("Account", {"name": "A", "description": text}, SYNC)["id"]
        async with session.get("Account") as answer:
            assert (await answer.json())["list"][0]["description"] == text[:-1]
        assert espo.read("Account", account)["description"] == text


async def test_without_a_total_a_list_says_whether_there_is_more() -> None:
    """The total is -1 while there is more and -2 at the end."""
    async with _espo() as (espo, _, session):
        for number in range(3):
            espo.create("Account", {"name": f"A{number}"}, SYNC)
        totals = []
        for offset in (0, 2):
            params = {"maxSize": "2", "offset": str(offset)}
            async with session.get("Account", params=params, headers={"X-No-Total": "true"}) as answer:
                totals.append((await answer.json())["total"])
        assert totals == [-1, -2]


CONDITIONS = [
    ({"type": "equals", "attribute": "seiten", "value": "2"}, "b"),
    ({"type": "notEquals", "attribute": "seiten", "value": 2}, "a"),
    ({"type": "in", "attribute": "name", "value": ["A", "c"]}, "ac"),
    ({"type": "notIn", "attribute": "name", "value": ["a"]}, "bc"),
    ({"type": "contains", "attribute": "md5sum", "value": "x_z"}, "a"),
    ({"type": "startsWith", "attribute": "md5sum", "value": "x"}, "ab"),
    ({"type": "greaterThan", "attribute": "seiten", "value": 1}, "b"),
    ({"type": "lessThanOrEquals", "attribute": "seiten", "value": 1}, "a"),
    ({"type": "between", "attribute": "dokumentDatum", "value": ["2026-01-01", "2026-01-31"]}, "a"),
    ({"type": "before", "attribute": "dokumentDatum", "value": "2026-02-01"}, "a"),
    ({"type": "isNull", "attribute": "seiten"}, "c"),
    ({"type": "isNotNull", "attribute": "seiten"}, "ab"),
    ({"type": "isTrue", "attribute": "vertraulich"}, "a"),
    ({"type": "isFalse", "attribute": "vertraulich"}, "bc"),
    ({"type": "arrayAnyOf", "attribute": "xaiCollections", "value": ["q", "k"]}, "ab"),
    ({"type": "arrayNoneOf", "attribute": "xaiCollections", "value": ["k"]}, "bc"),
    ({"type": "arrayAllOf", "attribute": "xaiCollections", "value": ["k", "q"]}, "a"),
    ({"type": "arrayIsEmpty", "attribute": "xaiCollections"}, "c"),
    ({"type": "arrayIsNotEmpty", "attribute": "xaiCollections"}, "ab"),
    ({"type": "isLinked", "attribute": "raeumungsklages"}, "a"),
    ({"type": "isNotLinked", "attribute": "raeumungsklages"}, "bc"),
    ({"type": "notLinkedWith", "attribute": "account", "value": ["none"]}, "abc"),
    ({"type": "not", "value": [{"type": "equals", "attribute": "name", "value": "a"}]}, "bc"),
    (
        {
            "type": "or",
            "value": [
                {"type": "equals", "attribute": "name", "value": "a"},
                {"type": "and", "value": [{"type": "equals", "attribute": "name", "value": "c"}]},
            ],
        },
        "ac",
    ),
]


@pytest.mark.parametrize(("condition", "expected"), CONDITIONS, ids=lambda value: str(value)[:60])
async def test_conditions_find_what_they_say(condition: dict[str, object], expected: str) -> None:
    """Each condition finds its documents, with SQL's idea of null; sent as `searchParams`."""
    async with _espo() as (espo, _, session):
        eviction = espo.create("Raeumungsklage", {"name": "rk"}, SYNC)["id"]
        first = {"name": "a", "seiten": 1, "md5sum": "xyz", "vertraulich": True, "dokumentDatum": "2026-01-15"}
        espo.create("CDokumente", {**first, "xaiCollections": ["k", "q"], "raeumungsklagesIds": [eviction]}, SYNC)
        espo.create("CDokumente", {"name": "b", "seiten": 2, "md5sum": "X", "xaiCollections": ["q"]}, SYNC)
        espo.create("CDokumente", {"name": "c"}, SYNC)
        params = {"searchParams": json.dumps({"where": [condition], "orderBy": "name", "order": "asc"})}
        async with session.get("CDokumente", params=params) as answer:
            found = await answer.json()
        assert "".join(row["name"] for row in found["list"]) == expected
        assert found["total"] == len(expected)


async def test_the_law_firms_schema_has_the_products_fields() -> None:
    """Its collections and its file status can be written; the captured schema drops them silently."""
    config = EspoConfig(schema=law_firm_schema())
    async with EspoSimulator.running(config) as espo, _espo() as (captured, _, _session):
        party = {"name": "P", "xaiCollectionId": "col"}
        assert espo.create("CBeteiligte", party)["xaiCollectionId"] == "col"
        assert "xaiCollectionId" not in captured.create("CBeteiligte", party)
        assert espo.create("Account", {"name": "A", "cXaiCollectionId": "col"})["cXaiCollectionId"] == "col"
        assert espo.create("CDokumente", {"name": "d", "dateiStatus": "Geändert"})["dateiStatus"] == "Geändert"


async def test_faults_set_over_http_strike_and_are_counted() -> None:
    """A lost success does the work and answers otherwise; the rule ends after its count, and the log knows of it."""
    async with _espo() as (espo, _, session):
        rule = {"kind": "status_after", "method": "POST", "path": "/Account$", "count": 1, "status": 502}
        async with session.post(f"{espo.url}/_sim/faults", json=rule) as answer:
            assert answer.status == 201
        for expected in (502, 200):
            async with session.post("Account", json={"name": f"A{expected}"}) as answer:
                assert answer.status == expected
        async with session.get("Account") as answer:
            assert (await answer.json())["total"] == 2
        async with session.get(f"{espo.url}/_sim/counters") as answer:
            assert (await answer.json())["POST /api/v1/{entity}"] == 2
        assert [entry.faults for entry in espo.log.matching("POST")] == [["status_after"], []]


@pytest.mark.parametrize(
    ("kind", "worked"),
    [(FaultKind.CUT_BEFORE, 0), (FaultKind.CUT_AFTER, 1), (FaultKind.CUT_MIDDLE, 1)],
)
async def test_a_cut_connection_is_an_error_for_the_caller(kind: FaultKind, worked: int) -> None:
    """The caller sees no whole answer; whether the work was done is as the kind says."""
    async with _espo() as (espo, _, session):
        espo.faults.add(FaultRule(kind=kind, method="POST", count=1))
        with pytest.raises(aiohttp.ClientError):
            async with session.post("Account", json={"name": "A"}) as answer:
                await answer.read()
        assert len(espo.core.store.tables["Account"].records) == worked


async def test_the_log_shows_whether_calls_overlapped() -> None:
    """Two calls that both wait overlap; one made afterwards does not."""
    async with _espo() as (espo, _, session):
        espo.faults.add(FaultRule(kind=FaultKind.LATENCY, count=2, seconds=0.02))

        async def read() -> None:
            async with session.get("Account", headers={"X-Client-Tag": "t"}) as answer:
                await answer.read()

        await asyncio.gather(read(), read())
        await read()
        first, second, third = espo.log.matching("GET", "Account")
        assert first.overlaps(second)
        assert not third.overlaps(first)
        assert (first.tag, first.status, first.route) == ("t", 200, "/api/v1/{entity}")


async def test_a_killed_process_keeps_its_firm(tmp_path: Path) -> None:
    """Records, links, files and waiting webhooks survive SIGKILL; SIGTERM then ends the process cleanly."""
    address = {"http": ""}

    async def start() -> asyncio.subprocess.Process:
        arguments = ("-m", "bitbylaw.simulators.espocrm", "--state", str(tmp_path), "--webhook-interval", "3600")
        process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        ready = msgspec.json.decode(await process.stdout.readline())
        address["http"] = ready["url"] + ready["api_path"]
        address["key"] = ready["api_keys"][SYNC]
        return process

    async def call(method: str, path: str, **data: object) -> bytes:
        headers = {"X-Api-Key": address["key"]}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, f"{address['http']}/{path}", json=data or None) as answer,
        ):
            assert answer.status < 300, answer.headers.get("X-Status-Reason")
            return await answer.read()

    process = await start()
    await call("POST", "Webhook", event="CDokumente.create", url="http://127.0.0.1:1/x")
    upload = {"name": "f", "type": "text/plain", "field": "dokument", "relatedType": "CDokumente"}
    file = msgspec.json.decode(await call("POST", "Attachment", **upload, file="data:text/plain;base64,SGFsbG8="))
    eviction = msgspec.json.decode(await call("POST", "Raeumungsklage", name="rk"))["id"]
    made = await call("POST", "CDokumente", name="d", dokumentId=file["id"], raeumungsklagesIds=[eviction])
    document = msgspec.json.decode(made)["id"]
    before = await call("GET", f"CDokumente/{document}")
    snapshot = tmp_path / "firm.json"
    while not (snapshot.exists() and document in snapshot.read_text()):  # noqa: ASYNC110 - another process writes it
        await asyncio.sleep(0.01)
    process.kill()
    await process.wait()

    process = await start()
    assert await call("GET", f"CDokumente/{document}") == before
    assert await call("GET", f"Attachment/file/{file['id']}") == b"Hallo"
    await call("PUT", f"CDokumente/{document}", name="e")
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0
    kept = msgspec.json.decode(snapshot.read_bytes())
    assert [event["name"] for event in kept["queue"]["events"]] == ["CDokumente.create"]
    assert {r["id"]: r["values"]["name"] for r in kept["tables"]["CDokumente"]} == {document: "e"}
