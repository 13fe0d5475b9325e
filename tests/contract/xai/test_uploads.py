"""POST /v1/files (reference, Files REST)."""

import hashlib
import tracemalloc
from collections.abc import AsyncIterator

import pytest

from .caller import Caller

MIB = 1024 * 1024


async def mebibytes(count: int) -> AsyncIterator[bytes]:
    """So many MiB, one at a time."""
    block = b"x" * MIB
    for _ in range(count):
        yield block


async def test_upload_answers_the_file_object(caller: Caller) -> None:
    """The answer has id `file-<hex>`, object, bytes, unix times, the name and the purpose; the content is kept."""
    answer = await caller.upload("Räumung".encode(), "Räumungsklage Müller ./. Groß.txt", purpose="assistants")
    file = answer.json
    assert answer.status == 200
    assert file["id"].startswith("file-")
    assert int(file["id"].removeprefix("file-"), 16)
    assert (file["object"], file["bytes"], file["purpose"]) == ("file", 8, "assistants")
    assert (file["created_at"], file["expires_at"]) == (int(caller.clock()), None)
    assert file["filename"] == "Räumungsklage Müller ./. Groß.txt"
    assert caller.xai.content(file["id"]) == "Räumung".encode()
    assert caller.xai.files[0].sha256 == hashlib.sha256("Räumung".encode()).hexdigest()


async def test_filename_is_recorded_as_received(caller: Caller) -> None:
    """Aiohttp's default percent-encodes the name, and that is what is recorded then."""
    answer = await caller.upload(filename="Räumung 1.txt", quote_fields=True)
    assert answer.json["filename"] == "R%C3%A4umung%201.txt"


async def test_extended_filename_is_decoded(caller: Caller) -> None:
    """`filename*=UTF-8''…` stands for the decoded name."""
    answer = await caller.upload_raw(("form-data; name=file; filename*=UTF-8''K%C3%BCndigung.txt", b"x"))
    assert answer.json["filename"] == "Kündigung.txt"


async def test_purpose_may_be_dropped(caller: Caller) -> None:
    """With `keeps_purpose` off the purpose is always empty, as often seen."""
    caller.xai.reconfigure(keeps_purpose=False)
    assert (await caller.upload(purpose="assistants")).json["purpose"] == ""


@pytest.mark.parametrize("name", ['a"b.txt', "a;b.txt", "a\\b.txt", "a\nb", "a\u2028b", "a\x85b", "ä" * 256, ""])
async def test_forbidden_filenames_are_400(caller: Caller, name: str) -> None:
    """Quotes, semicolons, backslashes, control and line characters, and more than 255 characters are refused."""
    quoted = "".join(f"%{byte:02X}" for byte in name.encode())
    disposition = f"form-data; name=file; filename*=UTF-8''{quoted}" if name else 'form-data; name=file; filename=""'
    assert (await caller.upload_raw((disposition, b"x"))).status == 400
    assert caller.xai.files == []


async def test_255_characters_are_allowed(caller: Caller) -> None:
    """The limit counts characters, not bytes."""
    assert (await caller.upload(filename="ß" * 255)).status == 200


async def test_form_without_file_is_400(caller: Caller) -> None:
    """`file` is required, with a filename; anything but a multipart form is 400."""
    assert (await caller.upload_raw(("form-data; name=purpose", b"assistants"))).status == 400
    assert (await caller.upload_raw(("form-data; name=file", b"x"))).status == 400
    assert (await caller.call("POST", "/files", json={"file": "x"})).status == 400


async def test_malformed_form_is_400(caller: Caller) -> None:
    """A form without boundary, and one that breaks off in the middle of the file, are refused and leave nothing."""
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhalf a fi'
    for content_type in ("multipart/form-data", "multipart/form-data; boundary=x"):
        answer = await caller.call("POST", "/files", data=body, headers={"Content-Type": content_type})
        assert answer.status == 400
    assert caller.xai.files == []


async def test_above_the_limit_is_413(caller: Caller) -> None:
    """A file of exactly the limit is taken, one byte more is 413 and leaves nothing behind."""
    caller.xai.reconfigure(max_file_size=1000)
    assert (await caller.upload(b"x" * 1000)).status == 200
    assert (await caller.upload(b"x" * 1001)).status == 413
    assert len(caller.xai.files) == len(caller.xai.uploads) == 1


async def test_51_mib_are_413_and_48_are_not_held_in_memory(caller: Caller) -> None:
    """Under the usual limit of 50 MB: 48 MiB pass in constant memory, 51 MiB are refused."""
    tracemalloc.start()
    try:
        taken = await caller.upload(mebibytes(48), "Akte.pdf")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (taken.status, taken.json["bytes"]) == (200, 48 * MIB)
    assert peak < 8 * MIB
    assert (await caller.upload(mebibytes(51), "Akte.pdf")).status == 413


async def test_expiry(caller: Caller) -> None:
    """A file with `expires_after` says when it expires, and is gone then, from its collections too."""
    file = (await caller.upload(expires_after="3600")).json
    collection_id = await caller.new_collection()
    await caller.add(collection_id, file["id"])
    assert file["expires_at"] == file["created_at"] + 3600
    caller.clock.advance(3601)
    assert (await caller.get(f"/files/{file['id']}")).status == 404
    assert (await caller.document(collection_id, file["id"])).status == 404


@pytest.mark.parametrize("seconds", ["3599", "2592001", "bald"])
async def test_expiry_outside_its_range_is_400(caller: Caller, seconds: str) -> None:
    """Less than an hour, more than 30 days and no number are refused."""
    assert (await caller.upload(expires_after=seconds)).status == 400


async def test_expiry_after_the_file_is_400(caller: Caller) -> None:
    """`expires_after` must precede the file, because the server streams."""
    answer = await caller.upload_raw(
        ('form-data; name="file"; filename="a.txt"', b"x"), ('form-data; name="expires_after"', b"3600")
    )
    assert answer.status == 400
    assert caller.xai.files == []


async def test_the_same_content_twice_is_two_files(caller: Caller) -> None:
    """There is no idempotency: every upload is a new file, and counted."""
    first, second = await caller.new_file(), await caller.new_file()
    assert first != second
    assert [file.id for file in caller.xai.uploads] == [first, second]
