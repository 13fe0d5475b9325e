"""What `up` starts, decided from the environment alone. Pure but for the choice of free ports.

A system with credentials is the real one; each other one gets a simulator. The same goes for NATS: with NATS_URL set,
that server is used, else one of our own is started.
"""

import socket
from collections.abc import Mapping
from pathlib import Path

import msgspec

#: Where things listen unless the port is taken.
DEFAULT_PORTS = {
    "nats": 4222,
    "nats monitoring": 8222,
    "espocrm": 18080,
    "xai": 18081,
    "gateway": 3111,
    "gateway ops": 9464,
    "document-sync": 9465,
}


class Layout(msgspec.Struct, frozen=True):
    """Which parts are ours to start, where each listens, and where data and logs go."""

    data: Path
    ports: dict[str, int]
    own_nats: bool
    simulate_espocrm: bool
    simulate_xai: bool

    @property
    def nats_url(self) -> str:
        """Our own server's address."""
        return f"nats://127.0.0.1:{self.ports['nats']}"

    @property
    def espocrm_url(self) -> str:
        """The EspoCRM simulator's API."""
        return f"http://127.0.0.1:{self.ports['espocrm']}/api/v1"

    @property
    def xai_url(self) -> str:
        """The xAI simulator, both hosts in one."""
        return f"http://127.0.0.1:{self.ports['xai']}/v1"

    @property
    def gateway_url(self) -> str:
        """The gateway."""
        return f"http://127.0.0.1:{self.ports['gateway']}"


def lay_out(environ: Mapping[str, str], data: Path) -> Layout:
    """The layout that `environ` asks for."""
    fixed = {"gateway": environ.get("GATEWAY_PORT")}
    ports = {name: _port(fixed.get(name), default) for name, default in DEFAULT_PORTS.items()}
    return Layout(
        data=data,
        ports=ports,
        own_nats=not environ.get("NATS_URL"),
        simulate_espocrm=not (_given(environ, "ESPOCRM_API_KEY") and environ.get("ESPOCRM_API_BASE_URL")),
        simulate_xai=not (_given(environ, "XAI_API_KEY") and _given(environ, "XAI_MANAGEMENT_KEY")),
    )


def _given(environ: Mapping[str, str], name: str) -> bool:
    return bool(environ.get(name) or environ.get(f"{name}_FILE"))


def _port(fixed: str | None, default: int) -> int:
    """The fixed port as it is; else the default, or any free one where something else listens there."""
    if fixed and fixed.isdecimal():
        return int(fixed)
    for candidate in (default, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            port: int = probe.getsockname()[1]
            return port
    raise OSError("no free port on 127.0.0.1")


def read_dotenv(path: Path) -> dict[str, str]:
    """`NAME=value` lines of a `.env` file; quotes around a value and lines starting with # are dropped."""
    if not path.is_file():
        return {}
    found: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            found[name.strip()] = value.strip().strip("'\"")
    return found


def nats_configuration(layout: Layout) -> str:
    """The embedded server's configuration: loopback only, acknowledged means on disk."""
    store = str(layout.data / "nats").replace("\\", "/")
    return (
        f"host: 127.0.0.1\nport: {layout.ports['nats']}\nserver_name: bitbylaw\n"
        f'jetstream {{ store_dir: "{store}", sync_interval: always }}\n'
    )
