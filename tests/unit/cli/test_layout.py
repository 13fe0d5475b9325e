"""What `up` starts, decided from the environment."""

import socket
from pathlib import Path

import pytest

from bitbylaw.cli.up.hints import first_steps, not_synced
from bitbylaw.cli.up.layout import lay_out, nats_configuration, read_dotenv
from bitbylaw.cli.up.services import service_environment
from bitbylaw.cli.up.watch import Progress, Waiting

ESPOCRM = {"ESPOCRM_API_BASE_URL": "https://crm.example/api/v1", "ESPOCRM_API_KEY": "k"}
XAI = {"XAI_API_KEY": "a", "XAI_MANAGEMENT_KEY": "m"}


def test_without_credentials_everything_is_ours(tmp_path: Path) -> None:
    """Nothing set: an own NATS and both simulators, and the services are told where they are."""
    layout = lay_out({}, tmp_path)
    assert (layout.own_nats, layout.simulate_espocrm, layout.simulate_xai) == (True, True, True)
    environ = service_environment(layout, {})
    assert environ["ESPOCRM_API_BASE_URL"].endswith("/api/v1")
    assert environ["XAI_API_BASE_URL"] == environ["XAI_MANAGEMENT_API_BASE_URL"] == layout.xai_url


@pytest.mark.parametrize(
    ("given", "simulated"),
    [
        (ESPOCRM, (False, True)),
        (XAI, (True, False)),
        (ESPOCRM | XAI, (False, False)),
        ({"XAI_API_KEY": "a"}, (True, True)),
        ({"XAI_API_KEY_FILE": "f", "XAI_MANAGEMENT_KEY_FILE": "f"}, (True, False)),
    ],
)
def test_credentials_make_a_system_the_real_one(
    tmp_path: Path, given: dict[str, str], simulated: tuple[bool, bool]
) -> None:
    """A system with all its credentials is the real one and keeps its settings; half of them do not count."""
    layout = lay_out(given, tmp_path)
    assert (layout.simulate_espocrm, layout.simulate_xai) == simulated
    environ = service_environment(layout, given)
    if not layout.simulate_espocrm:
        assert environ["ESPOCRM_API_BASE_URL"] == given["ESPOCRM_API_BASE_URL"]
    if not layout.simulate_xai:
        assert "XAI_API_BASE_URL" not in environ


def test_a_given_nats_is_used(tmp_path: Path) -> None:
    """With NATS_URL no server of our own is started, and the services go there."""
    layout = lay_out({"NATS_URL": "nats://nats.example:4222"}, tmp_path)
    assert not layout.own_nats
    assert service_environment(layout, {"NATS_URL": "nats://nats.example:4222"})["NATS_URL"].endswith("example:4222")


def test_taken_ports_are_replaced(tmp_path: Path) -> None:
    """Where something listens already, another free port is chosen; a port asked for by name stays."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert lay_out({"GATEWAY_PORT": str(port)}, tmp_path).ports["gateway"] == port
    layout = lay_out({}, tmp_path)
    assert len(set(layout.ports.values())) == len(layout.ports)


def test_own_nats_writes_through(tmp_path: Path) -> None:
    """The embedded server listens on loopback alone and syncs always."""
    text = nats_configuration(lay_out({}, tmp_path))
    assert "sync_interval: always" in text
    assert "host: 127.0.0.1" in text


def test_dotenv(tmp_path: Path) -> None:
    """Comments, quotes and `export` are understood; without a file there is nothing."""
    file = tmp_path / ".env"
    assert read_dotenv(file) == {}
    file.write_text("# c\nA=1\nexport B='two words'\n\nC=\"x=y\"\nnonsense\n", encoding="utf-8")
    assert read_dotenv(file) == {"A": "1", "B": "two words", "C": "x=y"}


def test_what_is_not_in_sync_is_listed(tmp_path: Path) -> None:
    """The list of a failed --exit-when-synced names documents, statuses and reasons, and cuts a long one."""
    layout = lay_out({}, tmp_path)
    waiting = tuple(Waiting(f"{n:017x}", "failed", "the file is empty") for n in range(30))
    text = not_synced(Progress(40, 10, 30, waiting), 40, layout)
    assert "30 of 40" in text
    assert "the file is empty" in text
    assert "10 more" in text
    assert "never answered" in not_synced(None, 40, layout)


def test_first_steps_name_the_real_addresses(tmp_path: Path) -> None:
    """What to try is ready to be pasted."""
    layout = lay_out({}, tmp_path)
    text = first_steps(layout, {"NATS_URL": layout.nats_url})
    assert layout.nats_url in text
    assert layout.espocrm_url in text
