"""What a person sees: a progress bar and a live table in a terminal, plain lines where there is none."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bitbylaw.cli.up.figures import Figures
from bitbylaw.cli.up.processes import Kept, ProcessState
from bitbylaw.cli.up.watch import Progress

#: Seconds between two plain lines when nothing changes.
PLAIN_EVERY = 5.0

_STYLES = {
    ProcessState.READY: "green",
    ProcessState.STARTING: "yellow",
    ProcessState.RESTARTING: "red",
    ProcessState.STOPPED: "dim",
}


class Screen:
    """Shows the state of things; in a terminal it repaints in place."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=4) if console.is_terminal else None
        self._last_line = ""
        self._last_at = 0.0

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def show(self, processes: list[Kept], figures: Mapping[str, Figures], progress: Progress | None) -> None:
        """The present state."""
        if self._live is not None:
            self._live.update(_picture(processes, figures, progress))
        elif progress is not None:
            self._plain(progress)

    def _plain(self, progress: Progress) -> None:
        line = f"documents in xAI: {progress.synced}/{progress.total}" + (
            f", failed: {progress.failed}" if progress.failed else ""
        )
        if line != self._last_line or time.monotonic() - self._last_at > PLAIN_EVERY:
            self._console.print(line, highlight=False)
            self._last_line, self._last_at = line, time.monotonic()


def _picture(processes: list[Kept], figures: Mapping[str, Figures], progress: Progress | None) -> RenderableType:
    return Group(_bar(progress), _table(processes, figures))


def _bar(progress: Progress | None) -> RenderableType:
    line = Table.grid(padding=(0, 1))
    if progress is None:
        line.add_row(Text("documents in xAI", style="bold"), ProgressBar(total=None, width=40), Text("counting"))
        return line
    count = Text(f"{progress.synced}/{progress.total}")
    if progress.failed:
        count.append(f"  {progress.failed} failed", style="red")
    bar = ProgressBar(total=max(progress.total, 1), completed=progress.synced, width=40)
    line.add_row(Text("documents in xAI", style="bold"), bar, count)
    return line


def _table(processes: list[Kept], figures: Mapping[str, Figures]) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for column in ("process", "state"):
        table.add_column(column)
    for column in ("pid", "restarts", "webhooks", "done", "unchanged", "retried", "dead", "calls"):
        table.add_column(column, justify="right")
    for process in processes:
        row = figures.get(process.name)
        numbers = (
            [
                str(n) if n else "·"
                for n in (row.webhooks, row.done, row.nothing_to_do, row.retried, row.dead, row.upstream_calls)
            ]
            if row
            else [""] * 6
        )
        state = Text(process.state, style=_STYLES[process.state])
        table.add_row(process.name, state, str(process.pid or "–"), str(process.restarts or "·"), *numbers)
    return table
