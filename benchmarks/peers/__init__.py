"""Peers of the field, in an environment of their own: nothing of theirs comes near the product's."""

import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

from benchmarks.servers import DATA

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
HOME = DATA / "bench-venv"
_INSTALLED = HOME / "installed.txt"


def python(say: Callable[[str], None]) -> str:
    """The peers' Python, installed first if it is not there as `requirements.txt` wants it."""
    wanted = f"{sys.version}\n{REQUIREMENTS.read_text(encoding='utf-8')}"
    path = str(HOME / "bin" / "python")
    if _INSTALLED.is_file() and _INSTALLED.read_text(encoding="utf-8") == wanted:
        return path
    say(f"installing the peers into {HOME}")
    venv.create(HOME, clear=True, with_pip=True)
    subprocess.run(  # noqa: S603  (pip of the environment just made)
        [path, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "-r", str(REQUIREMENTS)],
        check=True,
    )
    _INSTALLED.write_text(wanted, encoding="utf-8")
    return path
