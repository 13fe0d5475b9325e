"""Reads the captured exchanges as they are: requests, responses, and the remarks between them."""

import re
from email.utils import parsedate_to_datetime
from pathlib import Path

import msgspec

EXCHANGES = Path(__file__).parent / "exchanges"
_TITLE = "################ "
_REQUEST = ">>> REQUEST"
_RESPONSE = "<<< RESPONSE"
_FIRED = re.compile(r"^---- webhooks fired by \[(?P<what>.*)\]: (?P<count>\d+)$")
_CLIPPED = re.compile(rb"\n\.\.\. \[(\d+) bytes, clipped\]\s*$")


class Fired(msgspec.Struct, frozen=True):
    """A webhook the capture saw: the path it was posted to and its raw body."""

    path: str
    body: str


class Response(msgspec.Struct, frozen=True):
    """A captured answer; `clipped` is the length of a body that was cut off in the file."""

    status: int
    headers: dict[str, str]
    body: bytes
    clipped: int | None


class Exchange(msgspec.Struct, frozen=True):
    """One captured request with its answer, and what it fired where the capture says so (None: it does not say)."""

    file: str
    number: int
    title: str
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    clipped: int | None
    response: Response
    fired: list[Fired] | None

    @property
    def name(self) -> str:
        """A readable id for a test case."""
        return (
            f"{self.file.removesuffix('.txt')}-{self.number:02}-{re.sub(r'[^A-Za-z0-9]+', '_', self.title).strip('_')}"
        )

    @property
    def finished(self) -> float:
        """When the captured server answered, in seconds since 1970."""
        headers = self.response.headers
        return parsedate_to_datetime(headers.get("Last-Modified", headers["Date"])).timestamp()

    @property
    def started(self) -> float:
        """When the captured server took the request, in seconds since 1970."""
        return parsedate_to_datetime(self.response.headers["Date"]).timestamp()


def exchanges_of(file: str) -> list[Exchange]:
    """Every exchange of a file, in order."""
    text = (EXCHANGES / file).read_text(encoding="utf-8")
    parts = re.split(rf"(?m)^{_TITLE}", text)[1:]
    return [_exchange(file, number, part) for number, part in enumerate(parts, start=1)]


def all_files() -> list[str]:
    """The names of all captured files."""
    return sorted(path.name for path in EXCHANGES.glob("*.txt"))


def _exchange(file: str, number: int, part: str) -> Exchange:
    title, rest = part.split("\n", 1)
    sent, answered = rest.split(_RESPONSE, 1)
    fired, answered = _split_fired(answered)
    head, body = _head_and_body(sent.split(_REQUEST + "\n", 1)[1])
    method, target, _ = head[0].split(" ", 2) if head[0].count(" ") == 2 else _spaced(head[0])
    clipped, content = _body(body, _headers(head))
    return Exchange(
        file=file,
        number=number,
        title=title.strip(),
        method=method,
        target=target,
        headers=_headers(head),
        body=content,
        clipped=clipped,
        response=_response(answered.split("\n", 1)[1]),
        fired=fired,
    )


def _spaced(line: str) -> tuple[str, str, str]:
    method, rest = line.split(" ", 1)
    target, version = rest.rsplit(" ", 1)
    return method, target, version


def _response(text: str) -> Response:
    head, body = _head_and_body(text)
    clipped, content = _body(body, _headers(head))
    return Response(status=int(head[0].split(" ")[1]), headers=_headers(head), body=content, clipped=clipped)


def _head_and_body(text: str) -> tuple[list[str], str]:
    head, _, body = text.partition("\n\n")
    return head.split("\n"), body


def _headers(head: list[str]) -> dict[str, str]:
    return {name: value.removeprefix(" ") for line in head[1:] for name, _, value in [line.partition(":")]}


def _body(text: str, headers: dict[str, str]) -> tuple[int | None, bytes]:
    """Cut the body to its Content-Length; the file has line ends after it."""
    raw = text.encode()
    clipped = _CLIPPED.search(raw)
    if clipped is not None:
        return int(clipped[1]), raw[: clipped.start()]
    length = headers.get("Content-Length")
    return None, raw[: int(length)] if length is not None else raw.rstrip(b"\n") * (not _is_bodyless(headers))


def _is_bodyless(headers: dict[str, str]) -> bool:
    return "Transfer-Encoding" not in headers


def _split_fired(text: str) -> tuple[list[Fired] | None, str]:
    lines = text.split("\n")
    for place, line in enumerate(lines):
        match = _FIRED.match(line)
        if match is not None:
            fired = [
                Fired(*entry.strip().split("  ", 1)) for entry in lines[place + 1 :] if entry.startswith("     /hook")
            ]
            assert len(fired) == int(match["count"]), line
            return fired, "\n".join(lines[:place])
    return None, text
