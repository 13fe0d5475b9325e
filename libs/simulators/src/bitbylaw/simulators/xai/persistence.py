"""Keep a library across restarts: one JSON snapshot, written whole and put in place at once."""

import asyncio
from pathlib import Path

import msgspec

from bitbylaw.simulators.xai.library import Library, Snapshot

_SNAPSHOT = "state.json"


def load(directory: Path) -> Library:
    """Read the library kept in this directory; an empty one if there is none.

    Raises `msgspec.MsgspecError` when the snapshot cannot be read.
    """
    path = directory / _SNAPSHOT
    if not path.exists():
        return Library()
    return Library.restored(msgspec.json.decode(path.read_bytes(), type=Snapshot))


class Keeper:
    """Writes the snapshot when something has changed, at most every `interval` seconds."""

    def __init__(self, library: Library, directory: Path, interval: float) -> None:
        self._library = library
        self._directory = directory
        self._interval = interval
        self._saved_revision = library.revision

    async def run(self) -> None:
        """Save again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._interval)
            self.save()

    def save(self) -> None:
        """Write the snapshot, if anything has changed since the last one."""
        if self._saved_revision == self._library.revision:
            return
        self._directory.mkdir(parents=True, exist_ok=True)
        unfinished = self._directory / f"{_SNAPSHOT}.part"
        unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(self._library.snapshot()), indent=1))
        unfinished.replace(self._directory / _SNAPSHOT)
        self._saved_revision = self._library.revision
