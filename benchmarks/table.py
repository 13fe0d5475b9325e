"""Results: rows of the Contract, as a table for people and as JSON for programs."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Self

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.machine import Machine

RESULTS = Path(__file__).parent / "results"
#: Columns of the table where no terminal says how many there are.
WIDTH = 210


class Figure(msgspec.Struct, frozen=True):
    """One quantity over all rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """The figure of one value a round."""
        known = list(values)
        return cls(median(known), min(known), max(known))

    def __str__(self) -> str:
        return f"{number(self.median)} ({number(self.low)}–{number(self.high)})"


class Aim(msgspec.Struct, frozen=True):
    """What the ratio of ours to the reference should be."""

    bound: float
    at_least: bool = True

    def met_by(self, ratio: float) -> bool:
        """Whether `ratio` reaches it."""
        return ratio >= self.bound if self.at_least else ratio <= self.bound

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.bound:g}"


class Row(msgspec.Struct, frozen=True):
    """One row of `latest.json`; `ratio` is ours divided by the reference; rows without an aim inform only."""

    bench: str
    case: str
    ours: float
    unit: str
    reference: str
    reference_value: float
    ratio: float
    aim: str | None
    met: bool | None


class Result(msgspec.Struct, frozen=True):
    """A row with what does not fit into the Contract's form: the spread of both sides, and remarks."""

    row: Row
    ours: Figure
    reference: Figure
    note: str = ""


def result(
    bench: str,
    case: str,
    ours: Figure,
    unit: str,
    reference: str,
    reference_value: Figure,
    *,
    aim: Aim | None = None,
    note: str = "",
) -> Result:
    """`ours` beside `reference_value`, medians."""
    ratio = ours.median / reference_value.median
    return Result(
        Row(
            bench=bench,
            case=case,
            ours=round(ours.median, 3),
            unit=unit,
            reference=reference,
            reference_value=round(reference_value.median, 3),
            ratio=round(ratio, 3),
            aim=None if aim is None else str(aim),
            met=None if aim is None else aim.met_by(ratio),
        ),
        ours,
        reference_value,
        note,
    )


def show(machine: Machine, results: Sequence[Result]) -> None:
    """Print the table."""
    table = Table(title="median (lowest–highest) of all rounds", caption=machine.line(), title_justify="left")
    for heading in ("bench", "case", "ours", "unit", "reference", "its figure", "ratio", "aim", "note"):
        table.add_column(heading, justify="right" if heading in {"ours", "its figure", "ratio"} else "left")
    for one in results:
        row = one.row
        met = "" if row.met is None else f" {'[green]met' if row.met else '[red]missed'}"
        table.add_row(
            row.bench,
            row.case,
            str(one.ours),
            row.unit,
            row.reference,
            str(one.reference),
            f"{row.ratio:.2f}",
            f"{row.aim or ''}{met}",
            one.note,
        )
    terminal = Console()
    (terminal if terminal.is_terminal else Console(width=WIDTH)).print(table)


def write(machine: Machine, results: Sequence[Result]) -> Path:
    """Write `latest.json` (the Contract's rows) and `details.json` (machine, spread, remarks); the former's path."""
    RESULTS.mkdir(exist_ok=True)
    latest = RESULTS / "latest.json"
    latest.write_bytes(_pretty([one.row for one in results]))
    (RESULTS / "details.json").write_bytes(_pretty({"machine": machine, "results": results}))
    return latest


def number(value: float) -> str:
    """`value` with as many digits as say something."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _pretty(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
