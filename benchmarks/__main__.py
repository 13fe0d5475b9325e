"""`python -m benchmarks [ingest] [handle] [--quick]`: measure, print the table, write `results/latest.json`."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from benchmarks import machine, table
from benchmarks.handle import bench as handle
from benchmarks.handle.bench import PromiseBroken
from benchmarks.ingest import bench as ingest
from benchmarks.ingest.bench import EventsMissing
from benchmarks.servers import ChildFailed, ending_in_order, workspace

ROUNDS = 3


class Bench(Protocol):
    """One measurement."""

    def __call__(self, home: Path, *, rounds: int, scale: float, say: Callable[[str], None]) -> list[table.Result]:
        """Measure `rounds` times, with `scale` of the full load."""
        ...


BENCHES: dict[str, Bench] = {"ingest": ingest.run, "handle": handle.run}


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for; 0 if it could be measured, whether aims were met or not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure beside the peers.")
    parser.add_argument("bench", nargs="*", metavar="bench", help=f"which: {', '.join(BENCHES)} (all of them)")
    parser.add_argument("--quick", action="store_true", help="one round with a tenth of the load: does it run at all?")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds of each measurement (%(default)s)")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.bench) - set(BENCHES):
        parser.error(f"no such bench: {', '.join(sorted(unknown))}")
    here = machine.describe()
    print(here.line(), flush=True)
    results: list[table.Result] = []
    try:
        with ending_in_order():
            for name in asked.bench or BENCHES:
                with workspace() as home:
                    results += BENCHES[name](
                        home,
                        rounds=1 if asked.quick else asked.rounds,
                        scale=0.1 if asked.quick else 1.0,
                        say=lambda line: print(line, flush=True),
                    )
    except KeyboardInterrupt:
        print("stopped; nothing was written", file=sys.stderr)
        return 130
    except ChildFailed as error:
        print(f"not measured: {error}", file=sys.stderr)
        return 1
    except (EventsMissing, PromiseBroken) as error:
        print(f"FAULT OF THE PRODUCT: {error}", file=sys.stderr)
        return 1
    table.show(here, results)
    print(f"written: {table.write(here, results)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
