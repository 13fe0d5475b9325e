"""document-sync as a process, with a hook between its steps: it notes each one, and dies where it is told.

Environment: `STEPS` is the folder of the notes. Before each step a line `time pid step` goes to the file named like the
document. A file `<document>.kill` with a number makes this process kill itself, once, before the step of that number
(counted over all processes). `CLIENT_TAG` names the process in the simulators' request logs. With `RESPAWN` a killed
worker is there again at once, as under a supervisor; its number is in the file `pid`.
"""

import os
import signal
import sys
import time
from functools import partial, partialmethod
from pathlib import Path

import aiohttp
from structlog.contextvars import get_contextvars
from tests.support.process import die_with_parent

from bitbylaw.common.service.process import main
from bitbylaw.document_sync.app import serve
from bitbylaw.document_sync.settings import read
from bitbylaw.document_sync.steps import Step
from bitbylaw.simulators.faults import TAG_HEADER


def on_step(folder: Path, step: Step) -> None:
    """Note the step; die if this is the place."""
    document = str(get_contextvars()["entity"]).partition(".")[2]
    notes = folder / document
    taken = len(notes.read_bytes().splitlines()) if notes.exists() else 0
    order = folder / f"{document}.kill"
    if order.exists() and int(order.read_text(encoding="ascii")) == taken:
        order.rename(folder / f"{document}.killed")
        os.kill(os.getpid(), signal.SIGKILL)
    with notes.open("a", encoding="ascii") as file:
        file.write(f"{time.monotonic()} {os.getpid()} {type(step).__name__}\n")


def tag_requests(tag: str) -> None:
    """Send `tag` with every request, so that the simulators' logs tell processes apart."""
    tagged = partialmethod(aiohttp.ClientSession.__init__, headers={TAG_HEADER: tag})
    setattr(aiohttp.ClientSession, "__init__", tagged)  # noqa: B010  (in this process of the test only)


def respawn() -> None:
    """Fork a worker and wait for its end, again and again; return in each worker. Forked: imports take a second."""
    while (child := os.fork()) != 0:
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            sys.exit(1)
    die_with_parent()
    Path(os.environ["STEPS"], "pid").write_text(str(os.getpid()), encoding="ascii")


if __name__ == "__main__":
    if os.environ.get("RESPAWN"):
        respawn()
    tag_requests(os.environ["CLIENT_TAG"] or str(os.getpid()))
    sys.exit(main("document-sync", read, partial(serve, on_step=partial(on_step, Path(os.environ["STEPS"])))))
