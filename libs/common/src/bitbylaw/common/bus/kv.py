"""Key-value buckets with revisions and per-key life times: the ground of leases and journals.

Written on the stream directly, because two things of ours are not in nats-py's KeyValue: a create that takes an expired
key as free at once, and a fenced removal (delete exactly the revision that one holds, without leaving a marker).
"""

import base64
import re
from collections.abc import AsyncIterator

import msgspec
from nats.errors import Error as NatsError
from nats.js.errors import APIError, NotFoundError

from bitbylaw.common.bus import wire
from bitbylaw.common.bus.connection import API_TIMEOUT, Bus
from bitbylaw.common.errors import BusUnavailable, RevisionConflict

_WRONG_LAST_SEQUENCE = {10071, 10164}
_NO_MESSAGE_FOUND = 10037
_STREAM_NOT_FOUND = 10059
#: What `nats kv del` and `nats kv purge` leave behind: a message that says that there is no value.
_MARKER = re.compile(rb"^(?:KV-Operation: (?:DEL|PURGE)|Nats-Marker-Reason: .*)\r$", re.MULTILINE)


class BucketGone(BusUnavailable):
    """The bucket does not exist: a memory bucket whose server was started again, until somebody makes it anew."""


class Entry(msgspec.Struct, frozen=True):
    """A value and the revision it was written at."""

    value: bytes
    revision: int


class _Error(msgspec.Struct, frozen=True):
    code: int = 0
    err_code: int = 0
    description: str = ""


class _Answer(msgspec.Struct, frozen=True):
    """The fields of JetStream's answers to publishing, getting and deleting that we read."""

    error: _Error | None = None
    seq: int = 0
    success: bool = False
    message: "_Stored | None" = None


class _Stored(msgspec.Struct, frozen=True):
    seq: int
    data: str = ""
    hdrs: str = ""

    @property
    def removed(self) -> bool:
        """Whether it only marks that the key has no value any more."""
        return bool(self.hdrs) and _MARKER.search(base64.b64decode(self.hdrs)) is not None


_decode = msgspec.json.Decoder(_Answer).decode


class Bucket:
    """One bucket. Every method raises BusUnavailable when JetStream does not answer."""

    def __init__(self, bus: Bus, name: str) -> None:
        self._bus = bus
        self.name = name
        self._stream = f"KV_{name}"
        self._prefix = f"$KV.{name}."

    async def get(self, key: str) -> Entry | None:
        """The value of `key`, as the stream's leader knows it; None if there is none."""
        last = await self._last(key)
        return None if last is None or last.removed else Entry(base64.b64decode(last.data), last.seq)

    async def _last(self, key: str) -> _Stored | None:
        query = msgspec.json.encode({"last_by_subj": self._prefix + key})
        answer = await self._ask(f"$JS.API.STREAM.MSG.GET.{self._stream}", query)
        if answer.error is not None:
            if answer.error.err_code == _NO_MESSAGE_FOUND:
                return None
            gone = answer.error.err_code == _STREAM_NOT_FOUND
            raise (BucketGone if gone else BusUnavailable)(f"{self.name}: {answer.error.description}")
        return answer.message

    async def create(self, key: str, value: bytes, *, ttl: float | None = None) -> int:
        """Write `key` only if it has no value; its revision.

        Raises:
            RevisionConflict: it has one.
        """
        return await self.update(key, value, 0, ttl=ttl)

    async def update(self, key: str, value: bytes, revision: int, *, ttl: float | None = None) -> int:
        """Write `key` only if it is at `revision` (0: has no value); the new revision.

        `ttl` in seconds, in whole ones (JetStream's granularity), removes the value by itself.

        Raises:
            RevisionConflict: it is not.
        """
        try:
            return await self._write(key, value, revision, ttl)
        except RevisionConflict:
            last = None if revision else await self._last(key)
            if last is None or not last.removed:
                raise
            # Somebody removed the value by hand; the mark he left must not keep the key from being written for ever.
            return await self._write(key, value, last.seq, ttl)

    async def _write(self, key: str, value: bytes, revision: int, ttl: float | None) -> int:
        headers = {"Nats-Expected-Last-Subject-Sequence": str(revision)}
        if ttl is not None:
            headers["Nats-TTL"] = f"{int(ttl)}s"
        answer = await self._ask(self._prefix + key, value, headers)
        if answer.error is not None:
            if answer.error.err_code in _WRONG_LAST_SEQUENCE:
                raise RevisionConflict(answer.error.description)
            raise BusUnavailable(f"{self.name}: {answer.error.description} ({answer.error.err_code})")
        return answer.seq

    async def remove(self, revision: int) -> bool:
        """Remove the value written at `revision`, whatever its key; False if it is gone or was replaced."""
        query = msgspec.json.encode({"seq": revision, "no_erase": True})
        answer = await self._ask(f"$JS.API.STREAM.MSG.DELETE.{self._stream}", query)
        return answer.success

    async def keys(self) -> AsyncIterator[str]:
        """Every key that has a value, in no order."""
        try:
            info = await self._bus.js.stream_info(self._stream, subjects_filter=f"{self._prefix}>")
        except NotFoundError:
            return
        except (APIError, NatsError) as error:
            raise BusUnavailable(f"{self.name}: {error}") from error
        for subject in info.state.subjects or {}:
            yield subject.removeprefix(self._prefix)

    async def _ask(self, subject: str, body: bytes, headers: dict[str, str] | None = None) -> _Answer:
        try:
            answer = await wire.request(self._bus.nc, subject, body, headers or {}, timeout=API_TIMEOUT)
        except (NatsError, OSError, TimeoutError) as error:
            raise BusUnavailable(f"{self.name}: {type(error).__name__}") from error
        return _decode(answer.data)
