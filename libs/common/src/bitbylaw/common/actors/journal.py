"""The journal of one entity: what was agreed last, and what is about to be done that must not be done twice.

Before an effect that cannot be repeated its intent is saved, after it the result. A run that finds an intent without a
result looks the effect up before doing it again. Each save names the revision that was read: a holder that lost its
lease and was overtaken cannot save any more.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from bitbylaw.common.bus.kv import Bucket
from bitbylaw.common.errors import LeaseLost, RevisionConflict
from bitbylaw.common.events import EntityRef

_Record = TypeVar("_Record", bound=msgspec.Struct)


class Journal(Generic[_Record]):
    """One entity's record, opened for the length of a run."""

    def __init__(
        self, bucket: Bucket, entity: EntityRef, record: _Record, revision: int, guard: Callable[[], None]
    ) -> None:
        self._bucket = bucket
        self._entity = entity
        self._revision = revision
        self._guard = guard
        self._forgotten = False
        #: The record as it was last read or saved.
        self.record = record

    async def save(self, record: _Record) -> None:
        """Write `record` if it differs from what stands there.

        Raises:
            LeaseLost: the lease is over, or somebody else saved meanwhile.
            BusUnavailable: it may or may not be written; end the run and read again.
        """
        if record == self.record and not self._forgotten:
            return
        self._guard()
        try:
            self._revision = await self._bucket.update(self._entity.key, msgspec.json.encode(record), self._revision)
        except RevisionConflict:
            raise LeaseLost(f"journal of {self._entity.key} was written by somebody else") from None
        self.record = record
        self._forgotten = False

    async def forget(self) -> None:
        """Remove the record.

        Raises:
            LeaseLost: the lease is over.
            BusUnavailable: it may or may not be removed.
        """
        if self._revision:
            self._guard()
            await self._bucket.remove(self._revision)
            self._revision = 0
            self._forgotten = True


class Journals(Generic[_Record]):
    """The journals of one kind of entity in one bucket. `empty` is the record of an entity never seen."""

    def __init__(self, bucket: Bucket, empty: _Record) -> None:
        self._bucket = bucket
        self._empty = empty
        self._decode = msgspec.json.Decoder(type(empty)).decode

    async def open(self, entity: EntityRef, guard: Callable[[], None]) -> Journal[_Record]:
        """The journal of `entity`; `guard` is asked before each save.

        Raises:
            BusUnavailable: the bucket does not answer.
        """
        entry = await self._bucket.get(entity.key)
        if entry is None:
            return Journal(self._bucket, entity, self._empty, 0, guard)
        return Journal(self._bucket, entity, self._decode(entry.value), entry.revision, guard)
