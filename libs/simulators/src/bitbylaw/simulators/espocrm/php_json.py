r"""JSON and query strings as PHP writes and reads them: `\/` and `\uXXXX` escapes, bracketed parameters."""

import json
import re
from typing import Any
from urllib.parse import parse_qsl

_KEY_PARTS = re.compile(r"\[([^\]]*)\]")


def encode(value: object) -> bytes:
    r"""Write JSON like PHP's `json_encode`: no spaces, slashes and everything beyond ASCII escaped."""
    return _escaped(json.dumps(value, ensure_ascii=True, separators=(",", ":")))


def encode_pretty(value: object) -> bytes:
    """Write JSON like PHP's `JSON_PRETTY_PRINT`: four spaces per level."""
    return _escaped(json.dumps(value, ensure_ascii=True, indent=4))


def _escaped(text: str) -> bytes:
    # A slash occurs in JSON only inside strings, and never as part of another escape.
    return text.replace("/", "\\/").encode("ascii")


def parse_query(raw_query: str) -> dict[str, Any]:
    """Read a query string like PHP's `parse_str`: `a[0][b]=c` and `a[]=c` make nested arrays.

    An array whose keys are 0, 1, 2 … comes back as a list, any other as a dict; a later value replaces an earlier.
    """
    root: dict[str, Any] = {}
    for key, value in parse_qsl(raw_query, keep_blank_values=True):
        head, bracket, rest = key.partition("[")
        parts = [head, *_KEY_PARTS.findall(bracket + rest)]
        _put(root, parts, value)
    return {key: _listed(value) for key, value in root.items()}


def _put(root: dict[str, Any], parts: list[str], value: str) -> None:
    place = root
    for part in parts[:-1]:
        name = part or str(len(place))
        inner = place.get(name)
        if not isinstance(inner, dict):
            inner = {}
            place[name] = inner
        place = inner
    place[parts[-1] or str(len(place))] = value


def _listed(value: Any) -> Any:
    """Turn dicts with the keys 0, 1, 2 … into lists, inside out."""
    if not isinstance(value, dict):
        return value
    inner = {key: _listed(item) for key, item in value.items()}
    if list(inner) == [str(number) for number in range(len(inner))]:
        return list(inner.values())
    return inner
