"""The simulator as a process of its own, and its state on disk."""

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from bitbylaw.simulators.xai import ManualClock, XaiConfig, XaiSimulator

from .caller import Caller


@contextlib.asynccontextmanager
async def kept(directory: Path) -> AsyncIterator[Caller]:
    """A simulator that keeps its state in this directory."""
    clock = ManualClock()
    config = XaiConfig(clock=clock, state_dir=directory)
    async with XaiSimulator.running(config) as xai, aiohttp.ClientSession() as session:
        yield Caller(xai, clock, session)


@contextlib.asynccontextmanager
async def process(directory: Path) -> AsyncIterator[dict[str, Any]]:
    """A process on a free port; it must end well when told to."""
    command = [sys.executable, "-m", "bitbylaw.simulators.xai", "--port", "0", "--state", str(directory)]
    started = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert started.stdout is not None
    try:
        yield json.loads(await started.stdout.readline())
    finally:
        started.send_signal(signal.SIGTERM)
        assert await started.wait() == 0


async def test_state_survives_a_restart(tmp_path: Path) -> None:
    """Files, contents, collections, documents and the count of uploads are the same after a restart."""
    async with kept(tmp_path) as before:
        collection_id, file_id = await before.new_document(content="Räumung".encode())
        gone = await before.new_file()
        await before.call("DELETE", f"/files/{gone}")
        collections = before.xai.collections
    (tmp_path / "blobs" / "left-by-a-crash.part").write_bytes(b"x")
    async with kept(tmp_path) as after:
        assert after.xai.collections == collections
        assert [upload.id for upload in after.xai.uploads] == [file_id, gone]
        assert (await after.get(f"/files/{file_id}/content")).raw == "Räumung".encode()
        assert (await after.document(collection_id, file_id)).status == 200
    assert [path.name for path in (tmp_path / "blobs").iterdir()] == [file_id]


async def test_process_announces_itself_and_saves_when_stopped(tmp_path: Path) -> None:
    """One line of JSON with address and keys when it listens; SIGTERM ends it with 0 and its state is on disk."""
    async with process(tmp_path) as line, aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {line['management_key']}"}
        url = f"{line['url']}{line['api_path']}/collections"
        async with session.post(url, json={"collection_name": "Akte"}, headers=headers) as answer:
            assert answer.status == 200
        async with session.get(f"{line['url']}/_sim/state") as answer:
            assert [c["name"] for c in (await answer.json())["collections"]] == ["Akte"]
    assert json.loads((tmp_path / "state.json").read_bytes())["collections"][0]["name"] == "Akte"
