"""Faults on demand, and a log of every request: the same middleware for every simulator.

`instrument(app)` gives an application a `FaultPlan` and a `RequestLog`, and the control routes `/_sim/faults`,
`/_sim/requests` and `/_sim/counters`, with which people and other processes set and read them. Requests below `/_sim/`
are neither logged nor disturbed.
"""

import asyncio
import enum
import random
import re
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable

import msgspec
from aiohttp import payload, web
from aiohttp.typedefs import Middleware

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CONTROL_PREFIX = "/_sim/"
TAG_HEADER = "X-Client-Tag"
"""A caller that sends this header finds its value in the request log."""
NO_ANSWER = 0
"""The status the log gives to a request whose connection was cut before a status line was sent."""
_SLICES = 10
_HALF = 0.5


class FaultKind(enum.StrEnum):
    """What goes wrong, seen from the caller."""

    LATENCY = "latency"
    """Wait `seconds`, then work as usual."""
    STATUS = "status"
    """Answer `status` without doing the work."""
    STATUS_AFTER = "status_after"
    """Do the work, then answer `status`: the success is lost."""
    CUT_BEFORE = "cut_before"
    """Close the connection without doing the work. aiohttp's client repeats a GET, PUT or DELETE by itself when a
    connection it reuses is closed: with `count` 1 its caller then sees nothing of the fault."""
    CUT_AFTER = "cut_after"
    """Do the work, then close the connection: the answer is lost."""
    CUT_MIDDLE = "cut_middle"
    """Do the work, send half of the body, then close the connection."""
    SLOW_BODY = "slow_body"
    """Do the work, and spread the body over `seconds`."""


class FaultRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One fault and the requests it meets.

    `path` is a regular expression searched in the path without its query string, `method` a verb or `*`. `count` is how
    many matching requests are hit (None: all), `probability` the share of them that is (drawn from the plan's seed).
    `skip` lets that many matching requests pass first, so that one can fail "the third call".
    """

    kind: FaultKind
    method: str = "*"
    path: str = ""
    count: int | None = None
    probability: float = 1.0
    skip: int = 0
    seconds: float = 0.0
    status: int = 503
    headers: dict[str, str] = {}
    body: str = ""


class _ArmedRule:
    """A rule with what is left of its counts."""

    def __init__(self, number: int, rule: FaultRule) -> None:
        self.number = number
        self.rule = rule
        self.left = rule.count
        self.to_skip = rule.skip
        self.hits = 0
        self._path = re.compile(rule.path)

    def strikes(self, method: str, path: str, chance: random.Random) -> bool:
        """Say whether this request is hit, and count it if so."""
        if self.left == 0 or self.rule.method not in {"*", method} or not self._path.search(path):
            return False
        if self.to_skip:
            self.to_skip -= 1
            return False
        if self.rule.probability < 1.0 and chance.random() >= self.rule.probability:
            return False
        if self.left is not None:
            self.left -= 1
        self.hits += 1
        return True


class FaultState(msgspec.Struct, frozen=True):
    """A rule of the plan with how often it has struck and how often it still will (None: without end)."""

    number: int
    rule: FaultRule
    hits: int
    left: int | None


class FaultPlan:
    """The faults a simulator commits. Deterministic for a given seed and order of requests."""

    def __init__(self, rules: Iterable[FaultRule] = (), seed: int = 0) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - chooses faults, guards nothing
        self._armed: list[_ArmedRule] = []
        self._next_number = 1
        for rule in rules:
            self.add(rule)

    def add(self, rule: FaultRule) -> int:
        """Arm a rule and return its number. Raises `re.error` when its path is no regular expression."""
        armed = _ArmedRule(self._next_number, rule)
        self._armed.append(armed)
        self._next_number += 1
        return armed.number

    def reseed(self, seed: int) -> None:
        """Start the sequence of chances anew."""
        self._chance.seed(seed)

    def clear(self) -> None:
        """Disarm every rule."""
        self._armed.clear()

    def states(self) -> list[FaultState]:
        """Every armed rule, in the order they were added, exhausted ones included."""
        return [FaultState(number=a.number, rule=a.rule, hits=a.hits, left=a.left) for a in self._armed]

    def strike(self, method: str, path: str) -> list[FaultRule]:
        """Return the rules that hit this request: every latency, and at most one of the other kinds."""
        struck: list[FaultRule] = []
        decided = False
        for armed in self._armed:
            is_latency = armed.rule.kind is FaultKind.LATENCY
            if (is_latency or not decided) and armed.strikes(method, path, self._chance):
                struck.append(armed.rule)
                decided = decided or not is_latency
        return struck


class RequestEntry(msgspec.Struct, frozen=True):
    """One request a simulator has finished.

    Times are seconds of `time.monotonic`; `status` is 0 when the connection was cut without an answer; `size` is the
    length in bytes of the answer's body (None when it was streamed without a length); `received` that of the request's.
    """

    number: int
    started: float
    ended: float
    method: str
    path: str
    query: str
    route: str
    status: int
    size: int | None
    received: int | None
    tag: str | None
    faults: list[str]

    def overlaps(self, other: "RequestEntry") -> bool:
        """Say whether both were being handled at the same moment."""
        return self.started < other.ended and other.started < self.ended


class RequestLog:
    """The last requests and, since the start or the last `clear`, how many there were of each method and route."""

    def __init__(self, keep: int = 20_000) -> None:
        self.entries: deque[RequestEntry] = deque(maxlen=keep)
        self.counters: Counter[str] = Counter()
        self._number = 0

    def next_number(self) -> int:
        """Number a request that has just arrived; numbers rise in the order of arrival."""
        self._number += 1
        return self._number

    def add(self, entry: RequestEntry) -> None:
        """Note a finished request."""
        self.entries.append(entry)
        self.counters[f"{entry.method} {entry.route}"] += 1

    def matching(self, method: str = "*", path: str = "") -> list[RequestEntry]:
        """Return the kept requests of this method (`*`: any) whose path holds the regular expression, oldest first."""
        pattern = re.compile(path)
        return [e for e in self.entries if method in {"*", e.method} and pattern.search(e.path)]

    def clear(self) -> None:
        """Forget everything, counters included."""
        self.entries.clear()
        self.counters.clear()


class Instruments(msgspec.Struct, frozen=True):
    """What `instrument` has put into an application."""

    faults: FaultPlan
    log: RequestLog


def instrument(app: web.Application, faults: FaultPlan | None = None, log: RequestLog | None = None) -> Instruments:
    """Add the fault middleware and the control routes; call it before any other middleware is added."""
    instruments = Instruments(faults=faults or FaultPlan(), log=log or RequestLog())
    app.middlewares.append(_middleware(instruments))
    control = _Control(instruments)
    app.router.add_get("/_sim/faults", control.show_faults)
    app.router.add_post("/_sim/faults", control.add_faults)
    app.router.add_delete("/_sim/faults", control.clear_faults)
    app.router.add_get("/_sim/requests", control.show_requests)
    app.router.add_delete("/_sim/requests", control.clear_requests)
    app.router.add_get("/_sim/counters", control.show_counters)
    return instruments


class _Control:
    """The control routes."""

    def __init__(self, instruments: Instruments) -> None:
        self._faults = instruments.faults
        self._log = instruments.log

    async def show_faults(self, _request: web.Request) -> web.Response:
        return _json(self._faults.states())

    async def add_faults(self, request: web.Request) -> web.Response:
        """Take one rule or a list of them; `?seed=n` starts the chances anew."""
        try:
            sent = msgspec.json.decode(await request.read(), type=FaultRule | list[FaultRule])
            rules = sent if isinstance(sent, list) else [sent]
            if "seed" in request.query:
                self._faults.reseed(int(request.query["seed"]))
            numbers = [self._faults.add(rule) for rule in rules]
        except (msgspec.MsgspecError, re.error, ValueError) as error:
            return _json({"error": str(error)}, status=400)
        return _json({"numbers": numbers}, status=201)

    async def clear_faults(self, _request: web.Request) -> web.Response:
        self._faults.clear()
        return _json({"cleared": True})

    async def show_requests(self, request: web.Request) -> web.Response:
        """List the kept requests; `?path=<regex>&method=GET&limit=n` narrows them, newest kept."""
        entries = self._log.matching(request.query.get("method", "*"), request.query.get("path", ""))
        limit = int(request.query.get("limit", "1000"))
        return _json(entries[-limit:])

    async def clear_requests(self, _request: web.Request) -> web.Response:
        self._log.clear()
        return _json({"cleared": True})

    async def show_counters(self, _request: web.Request) -> web.Response:
        return _json(dict(self._log.counters))


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


def _middleware(instruments: Instruments) -> Middleware:
    @web.middleware
    async def disturb_and_log(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(CONTROL_PREFIX):
            return await handler(request)
        struck = instruments.faults.strike(request.method, request.path)
        number = instruments.log.next_number()
        started = time.monotonic()
        outcome = _Outcome()
        try:
            return await _disturbed(request, handler, struck, outcome)
        finally:
            instruments.log.add(_entry(request, number, started, outcome, struck))

    return disturb_and_log


class _Outcome:
    """What the log learns from the answer."""

    status = NO_ANSWER
    size: int | None = None

    def note(self, response: web.StreamResponse) -> None:
        self.status = response.status
        self.size = response.content_length


def _entry(
    request: web.Request, number: int, started: float, outcome: _Outcome, struck: list[FaultRule]
) -> RequestEntry:
    resource = request.match_info.route.resource
    return RequestEntry(
        number=number,
        started=started,
        ended=time.monotonic(),
        method=request.method,
        path=request.path,
        query=request.query_string,
        route=resource.canonical if resource is not None else "(none)",
        status=outcome.status,
        size=outcome.size,
        received=request.content_length,
        tag=request.headers.get(TAG_HEADER),
        faults=[rule.kind.value for rule in struck],
    )


async def _disturbed(
    request: web.Request, handler: Handler, struck: list[FaultRule], outcome: _Outcome
) -> web.StreamResponse:
    for delay in struck:
        if delay.kind is FaultKind.LATENCY:
            await asyncio.sleep(delay.seconds)
    rule = next((rule for rule in struck if rule.kind is not FaultKind.LATENCY), None)
    if rule is not None and rule.kind is FaultKind.CUT_BEFORE:
        return _cut(request)
    if rule is not None and rule.kind is FaultKind.STATUS:
        response: web.StreamResponse = _answer(rule)
    else:
        response = await _handled(request, handler)
    if rule is not None:
        response = await _spoiled(request, response, rule)
    if request.transport is not None and not request.transport.is_closing():
        outcome.note(response)
    return response


async def _handled(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Do the work; an answer that was raised is an answer like any other to the faults and the log."""
    try:
        return await handler(request)
    except web.HTTPException as raised:
        return web.Response(status=raised.status, headers=raised.headers, body=raised.body)


async def _spoiled(request: web.Request, response: web.StreamResponse, rule: FaultRule) -> web.StreamResponse:
    """Do to a finished answer what the rule says; one that is already on its way can only be cut."""
    if rule.kind is FaultKind.STATUS_AFTER:
        return _answer(rule)
    if rule.kind is FaultKind.CUT_AFTER or (rule.kind is FaultKind.CUT_MIDDLE and response.prepared):
        return _cut(request)
    if rule.kind is FaultKind.CUT_MIDDLE and isinstance(response, web.Response):
        return await _cut_in_the_middle(request, response)
    if rule.kind is FaultKind.SLOW_BODY and isinstance(response, web.Response):
        return await _sent_slowly(request, response, rule.seconds)
    return response


def _answer(rule: FaultRule) -> web.Response:
    return web.Response(status=rule.status, headers=rule.headers, body=rule.body.encode())


def _cut(request: web.Request) -> web.Response:
    """Close the connection; aiohttp finds it closed when it tries to send what we return, and drops that."""
    if request.transport is not None:
        request.transport.close()
    return web.Response()


async def _cut_in_the_middle(request: web.Request, response: web.Response) -> web.StreamResponse:
    body = await _body_of(response)
    sent = web.StreamResponse(status=response.status, headers=response.headers)
    sent.content_length = len(body)
    await sent.prepare(request)
    await sent.write(body[: int(len(body) * _HALF)])
    _cut(request)
    return sent


async def _sent_slowly(request: web.Request, response: web.Response, seconds: float) -> web.StreamResponse:
    body = await _body_of(response)
    sent = web.StreamResponse(status=response.status, headers=response.headers)
    sent.content_length = len(body)
    await sent.prepare(request)
    step = max(1, -(-len(body) // _SLICES))
    for start in range(0, len(body), step):
        await asyncio.sleep(seconds / _SLICES)
        await sent.write(body[start : start + step])
    await sent.write_eof()
    return sent


async def _body_of(response: web.Response) -> bytes:
    """Return the whole body, collecting it when it would have been streamed."""
    body = response.body
    return await body.as_bytes() if isinstance(body, payload.Payload) else bytes(body or b"")
