"""The plan, played on a world in memory."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from bitbylaw.common.events import EntityRef
from bitbylaw.document_sync.model import DocumentRecord
from bitbylaw.document_sync.steps import Done, Unknown

from .world import Killed, World

OWNERS = [
    EntityRef("Raeumungsklage", "6b04cd4365475cb53"),
    EntityRef("Raeumungsklage", "6b04cdc9a5bae77b1"),
    EntityRef("CBeteiligte", "6b04cd437d6fad2e8"),
    EntityRef("Account", "6b04cd4370b812f99"),
]
owner_sets = st.sets(st.sampled_from(OWNERS))
texts = st.one_of(st.none(), st.sampled_from(["Klage", "Erwiderung", "Urteil"]))


def made(text: str = "Klage", owners: list[EntityRef] | None = None) -> World:
    world = World()
    world.create(text, set(OWNERS[:2] if owners is None else owners))
    return world


def test_a_new_document_is_uploaded_once_and_clean() -> None:
    """A new document with two links ends as one file in two collections, after one upload, and EspoCRM says clean."""
    world = made()
    world.settle()
    world.check()
    assert world.uploads == 1
    assert len(world.collections) == 2


def test_a_run_with_nothing_to_do_takes_no_step() -> None:
    """Once all agrees, another run takes not a single step: no save, no write, no call."""
    world = made()
    world.settle()
    before = world.steps
    assert isinstance(world.run(), Done)
    assert world.steps == before


def test_same_content_under_a_new_attachment_uploads_nothing() -> None:
    """A file replaced by an equal one is not uploaded again."""
    world = made()
    world.settle()
    world.attach("Klage")
    world.settle()
    world.check()
    assert world.uploads == 1


def test_status_changed_by_a_person_is_honoured_and_uploads_nothing_when_equal() -> None:
    """`fileStatus` or `dateiStatus` set by a person cause a comparison of contents; equal content is not uploaded."""
    world = made()
    assert world.record is not None
    world.record["dateiStatus"] = ""
    world.settle()
    for attribute, value, after in (
        ("fileStatus", "changed", "synced"),
        ("dateiStatus", "Geändert", "Synchronisiert"),
        ("dateiStatus", "Neu", "Synchronisiert"),
    ):
        world.record[attribute] = value
        world.settle()
        assert world.record[attribute] == after
    world.check()
    assert world.uploads == 1


def test_new_content_replaces_the_old_file_everywhere_then_deletes_it() -> None:
    """Changed content: the new file is in every collection, the old one in none, and gone."""
    world = made()
    world.settle()
    world.attach("Erwiderung")
    world.settle()
    world.check()
    assert world.uploads == 2


def test_unlinking_leaves_exactly_that_collection() -> None:
    """A removed link takes the file out of that collection alone."""
    world = made()
    world.settle()
    world.link({OWNERS[0]})
    world.settle()
    world.check()
    assert world.uploads == 1


def test_delete_leaves_the_collections_and_keeps_the_file() -> None:
    """A deleted document is in no collection any more; its file stays, and a restored one uploads nothing."""
    world = made()
    world.settle()
    kept, world.record = world.record, None
    world.settle(said_delete=True)
    world.check()
    assert len(world.files) == 1
    world.record = kept
    world.settle()
    world.check()
    assert world.uploads == 1


def test_an_entity_nobody_knows_is_said_so() -> None:
    """A document that is on no side is unknown, unless its deletion was announced."""
    assert isinstance(World().run(), Unknown)
    world = World()
    world.settle(said_delete=True)
    assert isinstance(world.run(), Done)


def test_a_lost_journal_is_rebuilt_from_espocrm_without_an_upload() -> None:
    """With our record gone, the references in EspoCRM and an equal content are enough: nothing is uploaded again."""
    world = made()
    world.settle()
    world.journal = DocumentRecord()
    world.settle(force=True)
    world.check()
    assert world.uploads == 1


def test_a_file_deleted_behind_our_back_is_uploaded_again_when_forced() -> None:
    """A forced comparison finds that xAI lost the file, and uploads it again."""
    world = made()
    world.settle()
    world.files.clear()
    for members in world.collections.values():
        members.clear()
    world.settle(force=True)
    world.check()
    assert world.uploads == 2


@pytest.mark.parametrize("change", ["create", "replace", "unlink", "remove the file", "delete"])
def test_killed_between_any_two_steps_ends_the_same(change: str) -> None:
    """However the worker is killed between two steps, the next run ends in the same state: one file, no orphan."""
    kill_at = 0
    while True:
        world = made()
        if change != "create":
            world.settle()
        if change == "replace":
            world.attach("Erwiderung")
        elif change == "unlink":
            world.link({OWNERS[0]})
        elif change == "remove the file":
            world.attach(None)
        elif change == "delete":
            world.record = None
        says = {"said_delete": change == "delete"}
        try:
            world.run(kill_at=kill_at, **says)
        except Killed:
            world.settle(**says)
            world.check()
            kill_at += 1
            continue
        break
    assert kill_at >= 3, "the enumeration found the steps by itself"


class Lives(RuleBasedStateMachine):
    """People change the document in every way, workers are killed anywhere, journals are lost."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.kept: dict[str, object] | None = None

    @precondition(lambda self: self.world.record is None and self.kept is None)
    @rule(text=texts, owners=owner_sets)
    def create(self, text: str | None, owners: set[EntityRef]) -> None:
        self.world.create(text, owners)

    @precondition(lambda self: self.world.record is not None)
    @rule(text=texts)
    def replace(self, text: str | None) -> None:
        self.world.attach(text)

    @precondition(lambda self: self.world.record is not None)
    @rule(owners=owner_sets)
    def link(self, owners: set[EntityRef]) -> None:
        self.world.link(owners)

    @precondition(lambda self: self.world.record is not None)
    @rule()
    def delete(self) -> None:
        self.kept, self.world.record = self.world.record, None

    @precondition(lambda self: self.world.record is None and self.kept is not None)
    @rule()
    def restore(self) -> None:
        self.world.record, self.kept = self.kept, None

    @rule(kill_at=st.integers(0, 25), force=st.booleans())
    def killed(self, kill_at: int, force: bool) -> None:  # noqa: FBT001  (Hypothesis passes it)
        with contextlib.suppress(Killed):
            self.world.run(kill_at=kill_at, force=force, said_delete=self.world.record is None)

    @rule()
    def cut(self) -> None:
        self.world.cut = True
        with contextlib.suppress(Killed):
            self.world.run(said_delete=self.world.record is None)
        self.world.cut = False

    @rule()
    def arrive(self) -> None:
        self.world.arrive()

    @rule()
    def quiet(self) -> None:
        self.world.arrive()
        self.world.settle(said_delete=self.world.record is None)
        self.world.check()
        steps = self.world.steps
        self.world.run(said_delete=self.world.record is None)
        assert self.world.steps == steps, "a second run takes no step"


def test_lives_of_a_document() -> None:
    """After any history and a quiet time, both systems agree, no file is orphaned, and a second run does nothing."""
    from hypothesis.stateful import run_state_machine_as_test  # noqa: PLC0415  (only here)

    run_state_machine_as_test(Lives, settings=settings(max_examples=300, stateful_step_count=30, deadline=None))


@given(st.text(max_size=400), st.text("0123456789abcdef", min_size=64, max_size=64))
def test_upload_names_keep_to_xais_rules(original: str, sha256: str) -> None:
    """Any file name becomes one that xAI takes: at most 255 characters, none of the forbidden, found by its prefix."""
    from bitbylaw.document_sync.mapping import upload_name  # noqa: PLC0415  (only here)

    name = upload_name("6b04cd43a189d3089", sha256, original)
    assert len(name) <= 255
    assert not set(name) & set('";\\\r\n\x00\x7f\x85\u2028\u2029')
    assert name.startswith(f"6b04cd43a189d3089-{sha256[:16]}-")
