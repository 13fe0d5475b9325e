"""A real nats-server for a test: its own process, its own store, gone when the test is over."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.process import die_with_parent

from bitbylaw.common.bus.connection import Bus, connect
from bitbylaw.common.bus.topology import ensure_topology
from bitbylaw.common.settings import NatsSettings

#: Seconds a server may take to be ready; it takes about 0.2 s.
START_TIMEOUT = 15.0


class NatsServer:
    """One nats-server on a port of its own. `restart` and a `start` after `kill` keep port and store."""

    def __init__(self, home: Path, *, max_file_store: str = "1GB", max_payload: str = "1MB") -> None:
        self._home = home
        self._max_file_store = max_file_store
        self._max_payload = max_payload
        self._port = -1
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        #: What the server said, for the message of a failed start.
        self.log: list[str] = []

    @property
    def url(self) -> str:
        """Its address; known from the first start on."""
        return f"nats://127.0.0.1:{self._port}"

    @property
    def running(self) -> bool:
        """Whether its process is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def settings(self) -> NatsSettings:
        """How a service reaches it."""
        return NatsSettings(self.url, None, 1)

    def start(self) -> None:
        """Start it and return when it serves; on the port it had before, if it had one.

        To be called in the main thread: the server dies with the thread that started it.
        """
        config = self._home / "nats.conf"
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(self._config(), encoding="utf-8")
        self._process = subprocess.Popen(  # noqa: S603  (our own binary)
            [str(Path(sys.executable).parent / "nats-server"), "-c", str(config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509  (one prctl call, nothing that takes a lock)
        )
        ready = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(self._process, ready), daemon=True)
        self._reader.start()
        if not ready.wait(START_TIMEOUT) or not self.running:
            self.kill()
            raise RuntimeError("nats-server did not start:\n" + "\n".join(self.log[-20:]))

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power failure would."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Kill it and start it again: same port, same store; what lived in memory is gone."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Stop its process without ending it (SIGSTOP): connections stay open, nothing answers."""
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on."""
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if self.running:
            self._process.send_signal(how)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._reader is not None:
            self._reader.join(5)
        self._process = None

    def _read(self, process: subprocess.Popen[str], ready: threading.Event) -> None:
        assert process.stderr is not None
        with process.stderr:
            for line in process.stderr:
                self.log.append(line.rstrip())
                if "Listening for client connections on" in line:
                    self._port = int(line.rsplit(":", 1)[1])
                if "Server is ready" in line:
                    ready.set()
        ready.set()

    def _config(self) -> str:
        return f"""
            host: 127.0.0.1
            port: {self._port}
            max_payload: {self._max_payload}
            jetstream {{
              store_dir: "{self._home / "store"}"
              sync_interval: always
              max_memory_store: 256MB
              max_file_store: {self._max_file_store}
            }}
        """


@asynccontextmanager
async def connected(server: NatsServer, name: str = "test") -> AsyncIterator[Bus]:
    """A connection of its own to `server`, for the length of a block."""
    bus = await connect(server.settings, name)
    try:
        yield bus
    finally:
        await bus.close()


async def reached(bus: Bus, *, within: float = 10.0) -> None:
    """Return when `bus` is connected."""
    await bus.wait_connected(within)


async def lost(bus: Bus, *, within: float = 10.0) -> None:
    """Return when `bus` has noticed that its server is gone."""
    gone = asyncio.Event()
    bus.on_disconnect(gone.set)
    if bus.connected:
        async with asyncio.timeout(within):
            await gone.wait()


def cut(bus: Bus) -> None:
    """Break the connection of `bus` as a network would; its server lives on."""
    transport = bus.nc._transport
    assert transport is not None
    transport.close()  # type: ignore[no-untyped-call]  # nats-py leaves it bare


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """A fresh nats-server with JetStream, ended after the test whatever happens."""
    server = NatsServer(tmp_path / "nats")
    server.start()
    try:
        yield server
    finally:
        server.resume()
        server.kill()


@pytest.fixture
async def bus(nats_server: NatsServer) -> AsyncIterator[Bus]:
    """A connection to `nats_server` with the streams and buckets of the Contract in place."""
    async with connected(nats_server) as bus:
        await ensure_topology(bus, 1)
        yield bus
