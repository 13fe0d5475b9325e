"""Keeping a firm across restarts: a snapshot of the records, links and queues, next to the files (`--state DIR`)."""

import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec

from bitbylaw.simulators.espocrm.core import Core
from bitbylaw.simulators.espocrm.store import Record
from bitbylaw.simulators.espocrm.webhooks.queue import QueueState

FILE_NAME = "firm.json"
_REST = 10
"""How many times longer than a save took the next one waits."""


class RecordState(msgspec.Struct, frozen=True):
    """A record as plain data."""

    id: str
    values: dict[str, Any]
    deleted: bool


class Snapshot(msgspec.Struct, frozen=True):
    """Everything but the contents of files, which are on disk already."""

    tables: dict[str, list[RecordState]]
    relations: dict[str, dict[str, dict[str, list[str]]]]
    queue: QueueState


class StateKeeper:
    """Writes a snapshot when something has changed, and reads the last one at the start."""

    def __init__(self, core: Core, directory: Path) -> None:
        self._core = core
        self._path = directory / FILE_NAME
        self._saved: tuple[int, int] | None = None

    def load(self) -> None:
        """Take in the last snapshot, if there is one. Raises `msgspec.ValidationError` when it is none of ours."""
        if not self._path.exists():
            return
        snapshot = msgspec.json.decode(self._path.read_bytes(), type=Snapshot)
        for name, records in snapshot.tables.items():
            self._load_table(name, records)
        for name, pairs in snapshot.relations.items():
            if name in self._core.store.relations:
                self._core.store.relations[name].load(pairs)
        self._core.queue.load(snapshot.queue)
        self._core.registry.changed()
        self._saved = self._revision()

    async def save(self) -> None:
        """Write a snapshot if anything changed since the last; never leaves half of one behind."""
        revision = self._revision()
        if revision == self._saved:
            return
        self._saved = revision
        await asyncio.to_thread(self._write, msgspec.json.encode(self._snapshot()))

    async def keep_saving(self, interval: float) -> None:
        """Save every `interval` seconds until cancelled; a large firm less often, so that saving stays a side job."""
        pause = interval
        while True:
            await asyncio.sleep(pause)
            started = time.monotonic()
            await self.save()
            pause = max(interval, _REST * (time.monotonic() - started))

    def _load_table(self, name: str, records: list[RecordState]) -> None:
        table = self._core.store.tables.get(name)
        if table is None:
            return
        for state in records:
            if state.id not in table.records:
                self._core.store.add(Record(table.entity_type, state.id, state.values, deleted=state.deleted))

    def _revision(self) -> tuple[int, int]:
        return self._core.store.revision, self._core.queue.revision

    def _snapshot(self) -> Snapshot:
        store = self._core.store
        return Snapshot(
            tables={
                name: [RecordState(r.id, r.values, r.deleted) for r in table.records.values()]
                for name, table in store.tables.items()
            },
            relations={name: relation.pairs() for name, relation in store.relations.items()},
            queue=self._core.queue.state(),
        )

    def _write(self, content: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(content)
        fresh.replace(self._path)
