"""`bitbylaw up` as a newcomer calls it: real processes, simulators for everything outside."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import psutil
import pytest
from tests.support.process import environment

BITBYLAW = str(Path(sys.executable).parent / "bitbylaw")


def up(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  (our own command)
        [BITBYLAW, "up", "--data", str(data), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment(),
        cwd=data.parent,
    )


def left_behind(data: Path) -> list[str]:
    """Processes that still name the data folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "pid"]):
        line = " ".join(process.info["cmdline"] or [])
        if str(data) in line:
            found.append(line)
    return found


@contextmanager
def running(data: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(  # noqa: S603  (our own command)
        [BITBYLAW, "up", "--data", str(data)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
        cwd=data.parent,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(60)


def read_until(process: subprocess.Popen[str], pattern: str) -> re.Match[str]:
    """The first line of the process that matches."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if match := re.search(pattern, line):
            return match
    raise AssertionError("".join(seen))


def child(process: subprocess.Popen[str], module: str) -> psutil.Process:
    return next(c for c in psutil.Process(process.pid).children() if module in " ".join(c.cmdline()))


def test_a_newcomer_sees_forty_of_forty(tmp_path: Path) -> None:
    """A first call ends with 0 and 40 of 40; a second one on the same data finds all in place and uploads nothing."""
    data = tmp_path / "data"
    first = up(data, "--exit-when-synced")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "40 of 40 documents are in xAI and clean" in first.stdout
    assert left_behind(data) == []
    uploads = (data / "logs" / "document-sync.log").read_text().count('"file_uploaded"')
    assert uploads == 40
    second = up(data, "--exit-when-synced")
    assert second.returncode == 0, second.stdout + second.stderr
    assert (data / "logs" / "document-sync.log").read_text().count('"file_uploaded"') == 40
    assert left_behind(data) == []


async def test_life_of_a_running_suite(tmp_path: Path) -> None:
    """A killed service comes back, a manual event is taken, a bad document is named, Ctrl-C leaves nothing behind."""
    data = tmp_path / "data"
    with running(data) as process:
        url = (await asyncio.to_thread(read_until, process, r"PUT .* (http://127\.0\.0\.1:\d+/api/v1)"))[1]
        nats_url = (await asyncio.to_thread(read_until, process, r"NATS_URL=(nats://\S+)"))[1]
        victim = child(process, "bitbylaw.document_sync")
        victim.kill()
        async with aiohttp.ClientSession(headers={"X-Api-Key": "other-key"}) as session:
            bad = await bad_document(session, url)
            await eventually(session, f"{url}/CDokumente/{bad}", lambda d: d["xaiSyncStatus"] == "failed")
            good = await first_clean(session, url)
            async with session.put(f"{url}/CDokumente/{good}", json={"xaiSyncStatus": "unclean"}) as answer:
                assert answer.status == 200
            event = json.dumps({"entity_id": good})
            stored = await asyncio.to_thread(
                subprocess.run,
                [BITBYLAW, "pub", "vmh.document.update", event],
                env=environment(NATS_URL=nats_url),
                capture_output=True,
                text=True,
                check=False,
            )
            assert stored.stdout.strip() == "stored"
            await eventually(session, f"{url}/CDokumente/{good}", lambda d: d["xaiSyncStatus"] == "clean")
        assert child(process, "bitbylaw.document_sync").pid != victim.pid
        process.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(process.wait, 60) == 0
    assert left_behind(data) == []
    again = await asyncio.to_thread(up, data, "--exit-when-synced")
    assert again.returncode == 1
    assert "1 of 41 documents are not in sync" in again.stdout
    assert bad in again.stdout
    assert "empty" in again.stdout


def test_killed_up_leaves_nothing_behind(tmp_path: Path) -> None:
    """Even `kill -9` of `up` itself ends all its processes (Linux)."""
    if sys.platform != "linux":
        pytest.skip("the kernel's parent-death signal is Linux's")
    data = tmp_path / "data"
    with running(data) as process:
        read_until(process, "documents in xAI")
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 5
        os.kill(process.pid, signal.SIGKILL)
        _, alive = psutil.wait_procs(children, timeout=40)
        assert alive == []


async def bad_document(session: aiohttp.ClientSession, url: str) -> str:
    """A person adds an empty file for some account."""
    async with session.get(f"{url}/Account?maxSize=1&select=id") as answer:
        account = (await answer.json())["list"][0]["id"]
    upload = {
        "name": "leer.txt", "type": "text/plain", "role": "Attachment", "relatedType": "CDokumente",
        "field": "dokument", "file": "data:text/plain;base64,",
    }  # fmt: skip
    async with session.post(f"{url}/Attachment", json=upload) as answer:
        attachment = (await answer.json())["id"]
    document = {"name": "leer", "dokumentId": attachment, "accountId": account}
    async with session.post(f"{url}/CDokumente", json=document) as answer:
        return str((await answer.json())["id"])


async def first_clean(session: aiohttp.ClientSession, url: str) -> str:
    query = "where[0][type]=equals&where[0][attribute]=xaiSyncStatus&where[0][value]=clean&maxSize=1&select=id"
    async with session.get(f"{url}/CDokumente?{query}") as answer:
        return str((await answer.json())["list"][0]["id"])


async def eventually(session: aiohttp.ClientSession, url: str, holds: object) -> None:
    """Return when the record at `url` is as it should be; the parties are other processes."""
    assert callable(holds)
    async with asyncio.timeout(40):
        while True:
            async with session.get(url) as answer:
                if holds(await answer.json()):
                    return
            await asyncio.sleep(0.1)
