"""The TOML file of BITBYLAW_CONFIG."""

from pathlib import Path

import msgspec
import pytest

from bitbylaw.common.errors import ConfigurationError
from bitbylaw.common.settings import load_policies


class Policies(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A service's table."""

    limit: int = 7
    names: tuple[str, ...] = ("a",)


def test_defaults_without_a_file() -> None:
    """No variable, or an empty one, leaves every default."""
    assert load_policies({}, "documents", Policies) == Policies()
    assert load_policies({"BITBYLAW_CONFIG": ""}, "documents", Policies) == Policies()


def test_table_overrides_defaults(tmp_path: Path) -> None:
    """Only the service's own table is read, and only its keys change."""
    file = tmp_path / "bitbylaw.toml"
    file.write_text('[documents]\nlimit = 9\n[other]\nlimit = "x"\n', encoding="utf-8")
    assert load_policies({"BITBYLAW_CONFIG": str(file)}, "documents", Policies) == Policies(limit=9)
    assert load_policies({"BITBYLAW_CONFIG": str(file)}, "absent", Policies) == Policies()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"[documents]\nlimmit = 9", "limmit"),
        (b'[documents]\nlimit = "nine"', "limit"),
        (b"documents = 3", r"\[documents\]"),
        (b"[documents", "is no TOML"),
        (b"\xff\xfe", "is no TOML"),
        (None, "cannot be read"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, content: bytes | None, says: str) -> None:
    """A misspelt key, a wrong type, a broken or missing file: one fault, naming the variable and the place."""
    file = tmp_path / "bitbylaw.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=says) as refused:
        load_policies({"BITBYLAW_CONFIG": str(file)}, "documents", Policies)
    assert len(refused.value.faults) == 1
    assert refused.value.faults[0].startswith("BITBYLAW_CONFIG: ")
