"""The machine that measured: without it a figure says nothing."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import msgspec

from benchmarks.servers import NATS_SERVER


class Machine(msgspec.Struct, frozen=True):
    """What stands beside the figures."""

    cores: int
    cpu: str
    memory_gib: float
    kernel: str
    python: str
    nats_server: str
    nats_py: str
    load_before: float

    def line(self) -> str:
        """All of it in one line."""
        return (
            f"{self.cores} × {self.cpu}, {self.memory_gib:.0f} GiB, {self.kernel}, Python {self.python}, "
            f"{self.nats_server}, nats-py {self.nats_py}, load before {self.load_before:.2f}"
        )


def describe() -> Machine:
    """This machine, now."""
    server = subprocess.run([NATS_SERVER, "--version"], capture_output=True, text=True, check=True)  # noqa: S603  (our own binary)
    return Machine(
        cores=os.cpu_count() or 0,
        cpu=_field(Path("/proc/cpuinfo"), "model name") or platform.processor() or platform.machine(),
        memory_gib=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3,
        kernel=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        nats_server=server.stdout.strip(),
        nats_py=version("nats-py"),
        load_before=os.getloadavg()[0],
    )


def _field(path: Path, name: str) -> str:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
