"""Settings: everything that is wrong is said at once, by name, and no secret with it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bitbylaw.common.errors import ConfigurationError
from bitbylaw.common.settings import (
    Env,
    EspoSettings,
    LeaseSettings,
    NatsSettings,
    OpsSettings,
    count,
    load,
    optional_path,
    pairs,
    port,
    positive,
    servers,
    url,
    variables,
)
from bitbylaw.common.telemetry.logging import LogFormat, LogLevel

ESPO = {"ESPOCRM_API_BASE_URL": "https://crm.example/api/v1/", "ESPOCRM_API_KEY": "k"}


class All(msgspec.Struct, frozen=True):
    """Every common part together, as a service has them."""

    nats: NatsSettings
    ops: OpsSettings
    lease: LeaseSettings
    espo: EspoSettings
    keys: Annotated[tuple[tuple[str, str], ...], Env("KEYS", "", "name:key,…", pairs, secret=True)]
    number: Annotated[float, Env("NUMBER", "1", "a secret number", positive, secret=True)]


def faults(environ: Mapping[str, str]) -> list[str]:
    """What loading `All` complains about."""
    with pytest.raises(ConfigurationError) as refused:
        load(All, environ)
    return refused.value.faults


def test_defaults_are_the_contracts() -> None:
    """With the required variables alone everything has the Contract's default."""
    loaded = load(All, ESPO)
    assert loaded.nats == NatsSettings("nats://127.0.0.1:4222", None, 1)
    assert loaded.ops == OpsSettings(9464, LogFormat.JSON, LogLevel.INFO)
    assert loaded.lease == LeaseSettings(10, 1800.0)
    assert loaded.espo == EspoSettings("https://crm.example/api/v1", "k", 30.0, 300.0)


def test_all_faults_at_once_each_by_name() -> None:
    """One line for each variable that is missing or wrong, none for the others."""
    found = faults(
        {
            "NATS_URL": "http://x",
            "NATS_REPLICAS": "0",
            "NATS_CREDS_FILE": "/nowhere/creds",
            "OPS_PORT": "65536",
            "LOG_FORMAT": "xml",
            "LOG_LEVEL": "loud",
            "LEASE_SECONDS": "1.5",
            "LOCK_TTL_SECONDS": "nan",
            "ESPOCRM_API_BASE_URL": "https://crm.example",
            "KEYS": "a:b,nonsense",
        }
    )
    assert [fault.partition(":")[0] for fault in found] == [
        "NATS_URL",
        "NATS_CREDS_FILE",
        "NATS_REPLICAS",
        "OPS_PORT",
        "LOG_FORMAT",
        "LOG_LEVEL",
        "LEASE_SECONDS",
        "LOCK_TTL_SECONDS",
        "ESPOCRM_API_BASE_URL",
        "ESPOCRM_API_KEY",
        "KEYS",
    ]
    by_name = {fault.partition(":")[0]: fault for fault in found}
    assert "missing" in by_name["ESPOCRM_API_KEY"]
    assert by_name["LOG_FORMAT"] == "LOG_FORMAT: 'xml' must be one of json, console"
    assert "debug, info, warning, error" in by_name["LOG_LEVEL"]


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=4))
@example("@℀")
@example("[")
def test_faults_show_no_secret(text: str) -> None:
    """A secret that is wrong is named, not shown; nor is an address that may carry a password."""
    secret = f"geheim{text}geheim"
    environ = ESPO | {"KEYS": secret.replace(":", ""), "NUMBER": secret, "NATS_URL": f"ftp://u:{secret}@host"}
    found = faults(environ)
    assert {"KEYS", "NUMBER", "NATS_URL"} <= {fault.partition(":")[0] for fault in found}
    assert "geheim" not in " ".join(found)


def test_empty_variable_is_unset() -> None:
    """A blank line in a `.env` changes nothing: defaults hold, and what is required is missing."""
    assert load(NatsSettings, {"NATS_URL": ""}).url == "nats://127.0.0.1:4222"
    assert [fault.partition(":")[0] for fault in faults({**ESPO, "ESPOCRM_API_KEY": ""})] == ["ESPOCRM_API_KEY"]


def test_value_from_a_file(tmp_path: Path) -> None:
    """`NAME_FILE` holds the value of `NAME`, without the line's end; the variable itself wins over it."""
    file = tmp_path / "key"
    file.write_text("from-file\n", encoding="utf-8")
    environ = {"ESPOCRM_API_BASE_URL": ESPO["ESPOCRM_API_BASE_URL"], "ESPOCRM_API_KEY_FILE": str(file)}
    assert load(EspoSettings, environ).api_key == "from-file"
    assert load(EspoSettings, environ | {"ESPOCRM_API_KEY": ""}).api_key == "from-file"
    assert load(EspoSettings, environ | {"ESPOCRM_API_KEY": "direct"}).api_key == "direct"
    file.write_text("\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="ESPOCRM_API_KEY: missing"):
        load(EspoSettings, environ)


@pytest.mark.parametrize("kind", ["absent", "directory", "binary", "impossible"])
def test_unreadable_value_file_is_a_fault(tmp_path: Path, kind: str) -> None:
    """A file that cannot be read as text is reported by its variable's name, like any fault."""
    path = {"absent": tmp_path / "no", "directory": tmp_path, "binary": tmp_path / "b", "impossible": "a\x00b"}[kind]
    (tmp_path / "b").write_bytes(b"\xff\xfegeheim")
    found = faults({**ESPO, "ESPOCRM_API_KEY": "", "ESPOCRM_API_KEY_FILE": str(path)})
    assert len(found) == 1
    assert found[0].startswith("ESPOCRM_API_KEY_FILE: ")
    assert "geheim" not in found[0]


@pytest.mark.parametrize(
    "address",
    ["nats://a:4222", "nats://a:1, nats://b:2", "tls://u:p@a.example", "a:4222", "a", "ws://a:80", "nats://[::1]:4222"],
)
def test_nats_addresses(address: str) -> None:
    """One address or several; a bare host is taken as nats-py takes it."""
    assert servers(address) == address.replace(" ", "")


@pytest.mark.parametrize(
    "address",
    [
        "http://a",
        "nats://",
        "nats://a:b",
        "nats://a:99999",
        ",",
        "nats://a:1,",
        "://",
        "a:0",
        "nats://u:p@℀",
        "nats://[",
    ],
)
def test_no_nats_addresses(address: str) -> None:
    """What nats-py would try for ever in vain is a fault of the configuration."""
    with pytest.raises(ValueError, match="must be addresses"):
        servers(address)


@given(st.text())
def test_parsers_refuse_with_value_errors_only(text: str) -> None:
    """No text makes a parser raise what the loader would not report."""
    for parse in (positive, count, port, pairs, url("http", ends_with="/x"), servers, optional_path, LogLevel):
        try:
            parse(text)
        except ValueError:
            continue


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look everywhere")
def test_path_behind_a_closed_directory_is_a_fault(tmp_path: Path) -> None:
    """A credentials file in a directory that may not be entered is reported, not a crash."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    with pytest.raises(ValueError, match="cannot be looked at"):
        optional_path(str(closed / "creds"))


def test_a_path_that_is_too_long_is_a_fault() -> None:
    """The operating system's refusal to look is reported like any other fault."""
    with pytest.raises(ValueError, match="cannot be looked at"):
        optional_path("/" + "x" * 5000)


def test_pairs_may_repeat_a_name() -> None:
    """Two secrets under one id, for rotation; a value may hold colons, spaces around items do not matter."""
    assert pairs("a:1, a:2 ,b:x:y,") == (("a", "1"), ("a", "2"), ("b", "x:y"))
    assert pairs("") == ()


def test_variables_are_listed_in_order() -> None:
    """The documentation of the environment is made from this list."""
    names = [env.name for env in variables(All)]
    assert names[:3] == ["NATS_URL", "NATS_CREDS_FILE", "NATS_REPLICAS"]
    assert names[-2:] == ["KEYS", "NUMBER"]
    assert all(env.doc for env in variables(All))
