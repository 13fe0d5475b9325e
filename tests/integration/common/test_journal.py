"""The journal of an entity: what was saved is read again, and who was overtaken saves no more."""

import msgspec
import pytest

from bitbylaw.common.actors.journal import Journals
from bitbylaw.common.bus.connection import Bus
from bitbylaw.common.bus.kv import Bucket
from bitbylaw.common.bus.topology import BucketName
from bitbylaw.common.errors import LeaseLost
from bitbylaw.common.events import EntityRef

ENTITY = EntityRef("CDokumente", "0123456789abcdef0")


class Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """A record."""

    intent: str = ""
    result: str = ""


@pytest.fixture
def bucket(bus: Bus) -> Bucket:
    """The bucket of document journals."""
    return Bucket(bus, BucketName.STATE_DOCUMENTS)


@pytest.fixture
def journals(bucket: Bucket) -> Journals[Note]:
    """Journals of notes."""
    return Journals(bucket, Note())


def free() -> None:
    """A lease that holds."""


def over() -> None:
    """A lease that is lost."""
    raise LeaseLost("over")


async def test_what_is_saved_is_read_by_the_next_run(journals: Journals[Note], bucket: Bucket) -> None:
    """Intent and result survive the run, as JSON that a person can read; an entity never seen has the empty record."""
    journal = await journals.open(ENTITY, free)
    assert journal.record == Note()
    await journal.save(Note(intent="upload"))
    await journal.save(Note(intent="upload", result="file-1"))
    assert (await journals.open(ENTITY, free)).record == Note("upload", "file-1")
    entry = await bucket.get(ENTITY.key)
    assert entry is not None
    assert entry.value == b'{"intent":"upload","result":"file-1"}'


async def test_same_record_is_not_written_again(journals: Journals[Note], bucket: Bucket) -> None:
    """Saving what stands there costs nothing, not even under a lost lease."""
    await (await journals.open(ENTITY, free)).save(Note("a"))
    before = await bucket.get(ENTITY.key)
    await (await journals.open(ENTITY, over)).save(Note("a"))
    assert await bucket.get(ENTITY.key) == before


async def test_nothing_is_saved_under_a_lost_lease(journals: Journals[Note], bucket: Bucket) -> None:
    """The guard is asked before each write."""
    journal = await journals.open(ENTITY, over)
    with pytest.raises(LeaseLost):
        await journal.save(Note("a"))
    assert await bucket.get(ENTITY.key) is None


async def test_overtaken_holder_saves_no_more(journals: Journals[Note]) -> None:
    """A holder that has not noticed its loss is stopped by the revision, also when it would forget."""
    await (await journals.open(ENTITY, free)).save(Note("first"))
    slow, fast = await journals.open(ENTITY, free), await journals.open(ENTITY, free)
    await fast.save(Note("fast"))
    with pytest.raises(LeaseLost):
        await slow.save(Note("slow"))
    await slow.forget()
    assert (await journals.open(ENTITY, free)).record == Note("fast")


async def test_forgotten_record_can_be_saved_again(journals: Journals[Note], bucket: Bucket) -> None:
    """After `forget` nothing stands there, so saving even the same record writes it."""
    journal = await journals.open(ENTITY, free)
    await journal.save(Note("a"))
    await journal.forget()
    assert await bucket.get(ENTITY.key) is None
    await journal.save(Note("a"))
    assert (await journals.open(ENTITY, free)).record == Note("a")
