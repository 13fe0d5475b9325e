"""A service as a process: its check, its signals, its exit codes, its operations port. The gateway stands for all."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import psutil
import pytest
from tests.support.nats import NatsServer
from tests.support.process import ROOT, environment, python

from bitbylaw.common.bus.connection import Bus

GATEWAY = ["-m", "bitbylaw.gateway"]


def settings(url: str = "nats://127.0.0.1:1", **changes: str) -> dict[str, str]:
    """The environment of a gateway."""
    return (
        environment(NATS_URL=url, WEBHOOK_AUTH="none", GATEWAY_PORT="0", GATEWAY_HOST="127.0.0.1", OPS_PORT="0")
        | changes
    )


def said(process: subprocess.Popen[str], event: str) -> dict[str, object]:
    """The first log line of that name; reads until it comes or the process ends."""
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if line.startswith("{") and (entry := json.loads(line))["event"] == event:
            return dict(entry)
    raise AssertionError(f"{event} was never said:\n" + "".join(seen))


def check(environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """`--check` under `environ`."""
    return subprocess.run(  # noqa: S603  (our own interpreter)
        [sys.executable, *GATEWAY, "--check"],
        env=environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_check_of_a_good_configuration() -> None:
    """It says so and exits with 0, without looking for a server."""
    done = check(settings())
    assert (done.returncode, done.stdout, done.stderr) == (0, "configuration: ok\n", "")


def test_check_names_every_fault_at_once() -> None:
    """Faults of the service's own settings and of the common ones stand together, exit code 2, no traceback."""
    done = check(
        settings(NATS_REPLICAS="none", OPS_PORT="x", LOG_LEVEL="loud", GATEWAY_PORT="99999", WEBHOOK_AUTH="magic")
    )
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert [line.split(":")[1].strip() for line in lines] == [
        "NATS_REPLICAS",
        "GATEWAY_PORT",
        "WEBHOOK_AUTH",
        "OPS_PORT",
        "LOG_LEVEL",
    ]
    assert all(line.startswith("configuration: ") for line in lines)


def test_faults_end_a_start_as_well() -> None:
    """Without `--check` a wrong configuration ends the start with the same words and exit code."""
    with python(GATEWAY, settings(OPS_PORT="x")) as process:
        _, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert err.startswith("configuration: OPS_PORT: 'x' must be a port")


async def test_life_of_a_service(nats_server: NatsServer, bus: Bus) -> None:
    """Healthy and ready once started, metrics served; SIGTERM drains it: exit 0, its connections gone."""
    with python(GATEWAY, settings(nats_server.url)) as process:
        ops_port = (await asyncio.to_thread(said, process, "service_starting"))["ops_port"]
        await asyncio.to_thread(said, process, "gateway_ready")
        base = f"http://127.0.0.1:{ops_port}"
        async with aiohttp.ClientSession() as session:
            for path in ("/healthz", "/readyz"):
                async with session.get(base + path) as answer:
                    assert (answer.status, await answer.json()) == (200, {"ok": True, "faults": {}})
            async with session.get(base + "/metrics") as answer:
                assert answer.status == 200
                text = await answer.text()
                assert "# TYPE bitbylaw_webhook_events_total counter" in text
                assert "process_resident_memory_bytes" in text
            async with session.get(base + "/else") as answer:
                assert answer.status == 404
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 10) == 0
        assert process.stderr is not None
        rest = process.stderr.read()
    assert "service_stopped" in rest
    assert "Traceback" not in rest
    await bus.nc.flush()


async def test_lost_bus_makes_unready_not_unhealthy(nats_server: NatsServer) -> None:
    """While NATS is away the service asks for no traffic, but a restart would not help it; it drains all the same."""
    with python(GATEWAY, settings(nats_server.url)) as process:
        base = f"http://127.0.0.1:{(await asyncio.to_thread(said, process, 'service_starting'))['ops_port']}"
        await asyncio.to_thread(said, process, "gateway_ready")
        nats_server.kill()
        await asyncio.to_thread(said, process, "bus_disconnected")
        async with aiohttp.ClientSession() as session:
            async with session.get(base + "/readyz") as answer:
                assert (answer.status, await answer.json()) == (503, {"ok": False, "faults": {"bus": "NATS is away"}})
            async with session.get(base + "/healthz") as answer:
                assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 10) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_while_the_bus_is_unreachable_at_start(number: signal.Signals) -> None:
    """A service that still waits for its bus ends within a few seconds, with 0, and leaves no process."""
    with python(GATEWAY, settings()) as process:
        said(process, "service_starting")
        began = time.monotonic()
        process.send_signal(number)
        assert process.wait(10) == 0
        assert time.monotonic() - began < 3
        assert not [child for child in psutil.Process(os.getpid()).children() if child.pid == process.pid]
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


async def test_unready_while_starting() -> None:
    """Before its bus is there a service is alive and not ready."""
    with python(GATEWAY, settings()) as process:
        base = f"http://127.0.0.1:{(await asyncio.to_thread(said, process, 'service_starting'))['ops_port']}"
        async with aiohttp.ClientSession() as session:
            async with session.get(base + "/readyz") as answer:
                assert (await answer.json())["faults"] == {"started": "still starting"}
            async with session.get(base + "/healthz") as answer:
                assert answer.status == 200


def test_taken_port_is_a_fault(nats_server: NatsServer, tmp_path: Path) -> None:
    """A port that somebody else listens on ends the start with 1 and says so in one line."""
    taken = nats_server.url.rsplit(":", 1)[1]
    with python(GATEWAY, settings(nats_server.url, OPS_PORT=taken)) as process:
        _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "service_failed" in err
    assert "Traceback" not in err


def test_password_of_the_bus_is_never_logged(nats_server: NatsServer) -> None:
    """An address with credentials shows host and port in the log, nothing else."""
    url = nats_server.url.replace("nats://", "nats://user:geheim@")
    with python(GATEWAY, settings(url, LOG_LEVEL="debug")) as process:
        assert said(process, "bus_connected")["server"] == nats_server.url.removeprefix("nats://")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
    assert "geheim" not in err
