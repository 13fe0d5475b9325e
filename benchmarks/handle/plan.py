"""What every party of the measurement is given, and what it answers.

Only the standard library: FastStream's environment has nothing else of ours.
"""

import json
from dataclasses import asdict, dataclass
from typing import Self

STREAM = "HANDLE"
SUBJECTS = "vmh.document.update.*"
#: Messages a peer fetches at once.
FETCH = 100


@dataclass(frozen=True)
class Plan:
    """One run: handle all `events` of the stream at `url`, each costing `seconds` of waiting, as consumer `durable`."""

    url: str
    durable: str
    events: int
    seconds: float

    def text(self) -> str:
        """As an argument of a process."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Self:
        """Back from `text`."""
        return cls(**json.loads(text))


@dataclass(frozen=True)
class Handled:
    """What a party says of its run: `seconds` from the start until the server knew every event as acknowledged."""

    seconds: float
    runs: int
    faults: tuple[str, ...] = ()

    def text(self) -> str:
        """As a line of output."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Self:
        """Back from `text`."""
        found = json.loads(text)
        return cls(found["seconds"], found["runs"], tuple(found["faults"]))
