"""Processes of a test: none outlives it."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent() -> None:
    """For a child between fork and exec: the kernel kills it when its parent is gone (Linux only)."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def environment(**changes: str) -> dict[str, str]:
    """Nothing of ours from outside but what a Python process needs, and `changes`."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return kept | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)} | changes


@contextmanager
def python(arguments: Sequence[str], environ: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """`python` with `arguments`, both outputs readable; killed at the end of the block if it still runs."""
    with subprocess.Popen(  # noqa: S603  (our own interpreter)
        [sys.executable, *arguments],
        env=dict(environ),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=die_with_parent,  # noqa: PLW1509  (one prctl call, nothing that takes a lock)
    ) as process:
        try:
            yield process
        finally:
            process.kill()
