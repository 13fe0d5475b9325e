"""Paths made of a template and values: the template stands in messages, a value never reaches an address unescaped."""

import re
from collections.abc import Mapping
from urllib.parse import quote

from bitbylaw.common.errors import PermanentError

_SLOT = re.compile(r"\{(\w+)\}")


def fill(template: str, values: Mapping[str, str]) -> str:
    """`template` with each `{name}` replaced by its value, percent-encoded.

    Raises:
        PermanentError: a value is empty, `.`, `..` or holds a slash: it would name another address than meant.
        KeyError: the template names a value that is not given.
    """

    def segment(slot: re.Match[str]) -> str:
        value = values[slot[1]]
        if not value or value in {".", ".."} or "/" in value or "\\" in value:
            raise PermanentError(f"{slot[1]} is no id that could stand in {template}")
        return quote(value, safe="", errors="replace")

    return _SLOT.sub(segment, template)
