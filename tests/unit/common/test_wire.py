"""Messages as they go over the wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.errors import BadHeaderError, BadSubjectError, MaxPayloadError

from bitbylaw.common.bus import wire

LIMIT = 1024 * 1024


def parse(data: bytes) -> tuple[str, str, dict[str, str], bytes]:
    """Subject, reply, headers and body, read the way the server reads them."""
    line, _, rest = data.partition(b"\r\n")
    verb, *words = line.decode().split()
    sizes = [int(word) for word in words if word.isdecimal()][-(2 if verb == "HPUB" else 1) :]
    names = words[: len(words) - len(sizes)]
    head_size = sizes[0] if verb == "HPUB" else 0
    assert len(rest) == sizes[-1] + 2
    assert rest.endswith(b"\r\n")
    head, body = rest[:head_size], rest[head_size:-2]
    lines = head.decode().split("\r\n")[1:-2] if head else []
    headers = dict(line.split(": ", 1) for line in lines)
    return names[0], names[1] if len(names) > 1 else "", headers, body


@given(
    st.binary(max_size=200),
    st.dictionaries(
        st.sampled_from(["ce-id", "traceparent", "Nats-Msg-Id", "X"]),
        st.text(st.characters(blacklist_characters="\r\n", blacklist_categories=["Cs"]), max_size=20).map(str.strip),
        max_size=4,
    ),
    st.sampled_from(["", "_INBOX.a.1"]),
)
def test_what_is_sent_reads_back(body: bytes, headers: dict[str, str], reply: str) -> None:
    """Subject, reply, headers and body come out as they went in, with the lengths the protocol wants."""
    data = wire.message("vmh.document.update.x", body, headers, limit=LIMIT, reply=reply)
    assert parse(data) == ("vmh.document.update.x", reply, headers, body)


@pytest.mark.parametrize("subject", ["", "a b", "a\tb", "a\r\nPUB x 0", "a\n"])
def test_subjects_that_would_end_early_are_refused(subject: str) -> None:
    """White space in a subject would let it say something else to the server."""
    with pytest.raises(BadSubjectError):
        wire.message(subject, b"", {}, limit=LIMIT)


@pytest.mark.parametrize("headers", [{"a b": "x"}, {"": "x"}, {"a:": "x"}, {"a": "x\r\nb: y"}, {"a": "x\ny"}])
def test_headers_that_would_inject_others_are_refused(headers: dict[str, str]) -> None:
    """A header's name is a token, its value one line."""
    with pytest.raises(BadHeaderError):
        wire.message("a", b"", headers, limit=LIMIT)


def test_head_and_body_count_together() -> None:
    """The server hangs up over what is too long with its headers, so that is refused before it is sent."""
    assert wire.message("a", b"x" * 100, {}, limit=100)
    with pytest.raises(MaxPayloadError):
        wire.message("a", b"x" * 101, {}, limit=100)
    with pytest.raises(MaxPayloadError):
        wire.message("a", b"x" * 90, {"name": "value"}, limit=100)
