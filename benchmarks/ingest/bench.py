"""The measurement: three servers, alternating within each round, every accepted event looked up in the stream."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count, product
from pathlib import Path

import msgspec
import nats

from benchmarks.ingest.plain import STREAM as FLOOR_STREAM
from benchmarks.ingest.webhooks import SECRET, WEBHOOK_ID, Load, Measured, entity_id
from benchmarks.servers import child, nats_server
from benchmarks.table import Aim, Figure, Result, result

CONNECTIONS = (1, 32, 128)
ELEMENTS = (1, 50)
SECONDS, WARM_UP = 3.0, 0.7
#: Requests prepared for a second, by elements; no server that stores them gets through more on one core.
POOL = {1: 12_000, 50: 2_500}
#: The aims: single-element webhooks on 128 connections, ours beside the floor.
AIM_RATE, AIM_P99 = Aim(2.5), Aim(0.5, at_least=False)

OURS, FLOOR, BARE = "gateway", "aiohttp + js.publish", "bare aiohttp, nothing stored"
EVENTS_STREAM = "EVENTS"

Case = tuple[int, int]
Samples = dict[tuple[Case, str], list[Measured]]


class EventsMissing(Exception):
    """The gateway said yes to events that are not in the stream."""


def run(home: Path, *, rounds: int, scale: float, say: Callable[[str], None]) -> list[Result]:
    """All cases, `rounds` times; `scale` shortens each run."""
    samples: Samples = defaultdict(list)
    seeds = count(1)
    with ExitStack() as stack:
        ours_url = stack.enter_context(nats_server(home / "ours"))
        floor_url = stack.enter_context(nats_server(home / "floor"))
        ports = dict(_servers(stack, home, ours_url, floor_url))
        for number in range(rounds):
            for case in product(ELEMENTS, CONNECTIONS):
                order = list(ports)
                # Each server is first, second and last equally often, so that a slow moment of the machine is shared.
                for name in order[number % 3 :] + order[: number % 3]:
                    load = _load(ports[name], case, seed=next(seeds), scale=scale, again=name == BARE)
                    measured = _measure(home, load)
                    samples[case, name].append(measured)
                    say(_line(number, case, name, measured))
                    if name == OURS:
                        asyncio.run(_check(ours_url, load, measured))
                asyncio.run(_purge(ours_url, EVENTS_STREAM))
                asyncio.run(_purge(floor_url, FLOOR_STREAM))
    return list(_results(samples))


def _servers(stack: ExitStack, home: Path, ours_url: str, floor_url: str) -> Iterator[tuple[str, int]]:
    """Start the three; name and port of each."""
    gateway = stack.enter_context(
        child(
            ["-m", "bitbylaw.gateway"],
            log=home / "gateway.log",
            environ={
                "NATS_URL": ours_url,
                "GATEWAY_HOST": "127.0.0.1",
                "GATEWAY_PORT": "0",
                "OPS_PORT": "0",
                "ESPOCRM_WEBHOOK_SECRETS": f"{WEBHOOK_ID}:{SECRET}",
            },
        )
    )
    yield OURS, gateway.logged(_gateway_port)
    for name, url in ((FLOOR, floor_url), (BARE, "-")):
        log = home / f"plain-{'bare' if url == '-' else 'floor'}.log"
        plain = stack.enter_context(child(["-m", "benchmarks.ingest.plain", url], log=log))
        yield name, int(plain.hear(30))


def _gateway_port(log: str) -> int | None:
    ready = (line for line in log.splitlines() if '"gateway_ready"' in line and line.endswith("}"))
    return next((int(msgspec.json.decode(line)["port"]) for line in ready), None)


def _load(port: int, case: Case, *, seed: int, scale: float, again: bool) -> Load:
    elements, connections = case
    seconds, warm_up = SECONDS * scale, max(WARM_UP * scale, 0.2)
    pool = int(POOL[elements] * (seconds + warm_up))
    return Load(port, connections, elements, seconds, warm_up, pool, seed, again)


def _measure(home: Path, load: Load) -> Measured:
    argv = ["-m", "benchmarks.ingest.load", msgspec.json.encode(load).decode()]
    with child(argv, log=home / "load.log") as running:
        return msgspec.json.decode(running.hear(120), type=Measured)


def _line(number: int, case: Case, name: str, measured: Measured) -> str:
    return (
        f"round {number + 1}  {case[0]:2} element(s) × {case[1]:3} connections  {name:<30}"
        f"{measured.rate:9,.0f}/s  p50 {measured.p50:7.2f} ms  p99 {measured.p99:7.2f} ms  "
        f"errors {measured.errors}  load's own core {measured.busy:.0%}"
    )


# --- every accepted event is in the stream -------------------------------------------------------------------------


async def _check(url: str, load: Load, measured: Measured) -> None:
    """The requests went out in order and all were answered, so the entities that must be there are known one by one.

    Raises:
        EventsMissing: one is not there, or one too many.
    """
    stored = await _subjects(url, "vmh.document.create.*")
    ours = {subject for subject in stored if subject.rpartition(".")[2].startswith(f"{load.seed:05x}")}
    wanted = measured.accepted * load.elements
    if measured.errors == 0:
        missing = {f"vmh.document.create.{entity_id(load.seed, number)}" for number in range(wanted)} - ours
        if missing:
            raise EventsMissing(f"{len(missing)} of {wanted} events are not in the stream")
    if len(ours) < wanted or any(amount != 1 for amount in stored.values()):
        raise EventsMissing(f"{wanted} events accepted, {len(ours)} in the stream")


async def _subjects(url: str, matching: str) -> dict[str, int]:
    """Messages in EVENTS by subject; the server lists them in pages."""
    connection = await nats.connect(url)
    found: dict[str, int] = {}
    try:
        while True:
            question = msgspec.json.encode({"subjects_filter": matching, "offset": len(found)})
            answer = await connection.request(f"$JS.API.STREAM.INFO.{EVENTS_STREAM}", question, timeout=10)
            info = msgspec.json.decode(answer.data)
            page = info["state"].get("subjects") or {}
            found |= page
            if not page or len(found) >= info.get("total", 0):
                return found
    finally:
        await connection.close()


async def _purge(url: str, stream: str) -> None:
    connection = await nats.connect(url)
    try:
        await connection.jetstream().purge_stream(stream)
    finally:
        await connection.close()


# --- figures -------------------------------------------------------------------------------------------------------


def _results(samples: Samples) -> Iterator[Result]:
    for case in product(ELEMENTS, CONNECTIONS):
        elements, connections = case
        name = f"{_counted(elements, 'element')}, {_counted(connections, 'connection')}"
        decisive = case == (1, 128)
        ours = samples[case, OURS]
        note = f"load used {max(one.busy for one in ours):.0%} of a core" if decisive else ""
        errors = sum(one.errors for one in ours)
        note = f"{note}; {errors} errors" if errors else note
        for reference, aims in ((FLOOR, (AIM_RATE, AIM_P99)), (BARE, (None, None))):
            theirs = samples[case, reference]
            for quantity, unit, aim in (("rate", "requests/s", aims[0]), ("p99", "ms", aims[1]), ("p50", "ms", None)):
                yield result(
                    "ingest",
                    f"{name}: {quantity}",
                    _figure(ours, quantity),
                    unit,
                    reference,
                    _figure(theirs, quantity),
                    aim=aim if decisive else None,
                    note=note if quantity == "rate" and reference == FLOOR else "",
                )


def _counted(amount: int, word: str) -> str:
    return f"{amount} {word}{'s' if amount > 1 else ''}"


def _figure(samples: list[Measured], quantity: str) -> Figure:
    return Figure.of(getattr(one, quantity) for one in samples)
