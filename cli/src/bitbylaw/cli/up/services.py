"""The processes of `up`, each with its command line and environment."""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from bitbylaw.cli.up.layout import Layout, nats_configuration
from bitbylaw.cli.up.processes import Kept

#: The simulators' throw-away keys: the product's API user in EspoCRM, xAI's two keys, and a person who works there.
SYNC_KEY = "sync-key"
XAI_KEY = "xai-simulator-key"
XAI_MANAGEMENT_KEY = "xai-simulator-management-key"


def nats_server(layout: Layout, environ: Mapping[str, str]) -> Kept:
    """Our own nats-server: JetStream, acknowledged means on disk, data kept between runs."""
    layout.data.mkdir(parents=True, exist_ok=True)
    configuration = layout.data / "nats.conf"
    monitoring = layout.ports["nats monitoring"]
    configuration.write_text(f"{nats_configuration(layout)}http: 127.0.0.1:{monitoring}\n", encoding="utf-8")
    return Kept(
        "nats",
        [_binary("nats-server"), "--config", str(configuration)],
        environ,
        log=layout.data / "logs" / "nats.log",
        ready_url=f"http://127.0.0.1:{monitoring}/healthz",
    )


def simulators(layout: Layout, environ: Mapping[str, str]) -> list[Kept]:
    """A simulator for each outside system without credentials; their state is kept between runs."""
    found: list[Kept] = []
    if layout.simulate_espocrm:
        found.append(_simulator("espocrm", layout, environ, []))
    if layout.simulate_xai:
        keys = ["--api-key", XAI_KEY, "--management-key", XAI_MANAGEMENT_KEY]
        found.append(_simulator("xai", layout, environ, keys))
    return found


def service_environment(layout: Layout, environ: Mapping[str, str]) -> dict[str, str]:
    """What every service finds in its environment: the caller's, completed by what we run ourselves."""
    completed = dict(environ)
    if layout.own_nats:
        completed["NATS_URL"] = layout.nats_url
    if layout.simulate_espocrm:
        completed |= {"ESPOCRM_API_BASE_URL": layout.espocrm_url, "ESPOCRM_API_KEY": SYNC_KEY}
    if layout.simulate_xai:
        completed |= {
            "XAI_API_BASE_URL": layout.xai_url,
            "XAI_MANAGEMENT_API_BASE_URL": layout.xai_url,
            "XAI_API_KEY": XAI_KEY,
            "XAI_MANAGEMENT_KEY": XAI_MANAGEMENT_KEY,
        }
    return completed


def services(layout: Layout, environ: Mapping[str, str]) -> list[Kept]:
    """The suite's services; `environ` is a completed one, with the webhooks' secrets in it."""
    gateway = {
        **environ,
        "GATEWAY_HOST": environ.get("GATEWAY_HOST", "127.0.0.1"),
        "GATEWAY_PORT": str(layout.ports["gateway"]),
        "OPS_PORT": str(layout.ports["gateway ops"]),
    }
    documents = {
        **environ,
        "OPS_PORT": str(layout.ports["document-sync"]),
        "DOCUMENT_SYNC_SPOOL": environ.get("DOCUMENT_SYNC_SPOOL", str(layout.data / "spool")),
    }
    return [
        _service("gateway", "bitbylaw.gateway", layout.ports["gateway ops"], layout, gateway),
        _service("document-sync", "bitbylaw.document_sync", layout.ports["document-sync"], layout, documents),
    ]


def _service(name: str, module: str, ops_port: int, layout: Layout, environ: Mapping[str, str]) -> Kept:
    return Kept(
        name,
        [sys.executable, "-m", module],
        environ,
        log=layout.data / "logs" / f"{name}.log",
        ready_url=f"http://127.0.0.1:{ops_port}/readyz",
    )


def _simulator(name: str, layout: Layout, environ: Mapping[str, str], arguments: list[str]) -> Kept:
    port = layout.ports[name]
    state = str(layout.data / "simulators" / name)
    return Kept(
        f"{name} simulator",
        [sys.executable, "-m", f"bitbylaw.simulators.{name}", "--port", str(port), "--state", state, *arguments],
        environ,
        log=layout.data / "logs" / f"{name}-simulator.log",
        ready_url=f"http://127.0.0.1:{port}/_sim/counters",
    )


def _binary(name: str) -> str:
    """A program that one of our dependencies installed beside Python."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name) or name
