"""What upstreams say, made fit for our messages; and paths, made safe."""

import hypothesis.strategies as st
import pytest
from hypothesis import given
from yarl import URL

from bitbylaw.common.errors import PermanentError
from bitbylaw.common.http.path import fill
from bitbylaw.common.http.reason import presentable

SECRET = "s3cr-et"


@given(st.text())
def test_any_text_becomes_one_short_line(text: str) -> None:
    """Whatever comes: at most 200 printable characters that can be encoded, without the secret."""
    shown = presentable(text + SECRET + text, frozenset({SECRET}))
    assert len(shown) <= 200
    assert shown.isprintable()
    assert SECRET not in shown
    shown.encode()


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: xa***62 given",
        "key xai-Ab12Cd34Ef56Gh78 is blocked",
        "bad header Bearer abcdefgh",
        "token d11fc83799501fe85b0da7af2102b330",
        "jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.x",
    ],
)
def test_key_like_parts_are_masked(text: str) -> None:
    """What looks like a key is masked, wherever the upstream repeats it."""
    shown = presentable(text)
    assert "[masked]" in shown
    for part in ("xa***62", "Ab12", "abcdefgh", "d11fc83799", "eyJhb"):
        assert part not in shown


@pytest.mark.parametrize(
    "text",
    [
        "Record 6b04cd43a189d3000 does not exist.",
        "Max size should not exceed 200. Use offset and limit.",
        "file_0f8fad5b-d9cb-469f-a165-70867728950e not in collection_7c9e6679-7425-40de-944b-e07fc1f90ae7",
    ],
)
def test_plain_reasons_stay(text: str) -> None:
    """Reasons with ids are left alone: they are what helps."""
    assert presentable(text) == text


@pytest.mark.parametrize("value", ["", ".", "..", "a/b", "../x", "a\\b", "/"])
def test_values_that_would_change_the_path_are_refused(value: str) -> None:
    """An id that would lead to another address is permanently no id."""
    with pytest.raises(PermanentError):
        fill("/Entity/{id}", {"id": value})


@given(st.text(min_size=1))
def test_every_other_value_is_one_segment(value: str) -> None:
    """Any other text arrives as exactly one segment of the path, without query or fragment."""
    try:
        path = fill("/api/{type}/{id}/end", {"type": "T", "id": value})
    except PermanentError:
        assert value in {".", ".."} or "/" in value or "\\" in value
        return
    url = URL("http://host" + path, encoded=True)
    assert url.raw_parts[3:] == (path.split("/")[3], "end")
    assert (url.raw_query_string, url.raw_fragment, url.host) == ("", "", "host")
