"""Processes of a measurement: a real nats-server, the parties, the load. None outlives the command.

Each child is ended by its own process id when its block ends, whatever ended it (Ctrl-C and SIGTERM too); should the
command itself be killed, the kernel ends the children.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).parents[1]
DATA = ROOT / ".data"
NATS_SERVER = str(Path(sys.executable).parent / "nats-server")
#: Seconds a process may take until it is ready, and until it is gone.
START_TIMEOUT, STOP_TIMEOUT = 30.0, 30.0

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None

_Found = TypeVar("_Found")


class ChildFailed(Exception):
    """A process ended or kept silent; the text has the end of its log."""


class Child:
    """One process: `say` writes to its input, `hear` reads a line of its output, its errors go to `log`."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._heard = b""
        self.log = log

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def say(self, line: str) -> None:
        """Write one line to its input."""
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def hear(self, timeout: float) -> str:
        """The next line of its output.

        Raises:
            ChildFailed: none came in time, or it ended.
        """
        assert self._process.stdout is not None
        until = time.monotonic() + timeout
        while b"\n" not in self._heard:
            ready, _, _ = select.select([self._process.stdout], [], [], max(until - time.monotonic(), 0))
            chunk = os.read(self._process.stdout.fileno(), 1 << 16) if ready else b""
            if not chunk:
                raise ChildFailed(f"{'ended' if ready else f'silent for {timeout:.0f} s'}: {self.tail()}")
            self._heard += chunk
        line, _, self._heard = self._heard.partition(b"\n")
        return line.decode()

    def logged(self, find: Callable[[str], _Found | None]) -> _Found:
        """What `find` finds in its log, as soon as it stands there.

        Raises:
            ChildFailed: it does not in time, or the process ended.
        """
        until = time.monotonic() + START_TIMEOUT
        while (found := find(self.log.read_text(encoding="utf-8", errors="replace"))) is None:
            if self._process.poll() is not None or time.monotonic() > until:
                raise ChildFailed(f"did not start: {self.tail()}")
            time.sleep(0.02)
        return found

    def tail(self) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-12:])

    def end(self) -> None:
        """End it in order, or without asking if it does not go."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()


@contextmanager
def child(
    argv: Sequence[str], *, log: Path, environ: Mapping[str, str] | None = None, python: str = sys.executable
) -> Iterator[Child]:
    """`argv` as a process of this Python (or of `python`; "" if `argv` is a program), for the length of a block."""
    with log.open("wb") as errors:
        process = subprocess.Popen(  # noqa: S603  (our own programs)
            [*([python] if python else []), *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=ROOT,
            env=_environment(environ or {}),
            start_new_session=True,  # Ctrl-C is for us: we end the children in order
            preexec_fn=_die_with_parent,  # noqa: PLW1509  (one prctl call, nothing that takes a lock)
        )
    running = Child(process, log)
    try:
        yield running
    finally:
        running.end()


@contextmanager
def nats_server(home: Path) -> Iterator[str]:
    """A fresh nats-server that acknowledges only what is on disk, for the length of a block; its address."""
    home.mkdir(parents=True)
    config = home / "nats.conf"
    config.write_text(
        f"""
        host: 127.0.0.1
        port: -1
        jetstream {{
          store_dir: "{home / "store"}"
          sync_interval: always
          max_memory_store: 1GB
          max_file_store: 8GB
        }}
        """,
        encoding="utf-8",
    )
    with child([NATS_SERVER, "-c", str(config)], log=home / "nats.log", python="") as running:
        yield running.logged(_nats_url)


@contextmanager
def workspace() -> Iterator[Path]:
    """An empty folder on the disk that is measured, gone after the block."""
    DATA.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=DATA, ignore_cleanup_errors=True) as home:
        yield Path(home)


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Take a SIGTERM like Ctrl-C, so that every block ends and with it every child."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _nats_url(log: str) -> str | None:
    if "Server is ready" not in log:
        return None
    line = next(line for line in log.splitlines() if "Listening for client connections on" in line)
    return f"nats://127.0.0.1:{line.rsplit(':', 1)[1].strip()}"


def _environment(changes: Mapping[str, str]) -> dict[str, str]:
    """What a process needs of ours, and `changes`: a setting of the shell must change no figure."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, **changes}


def _die_with_parent() -> None:
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
