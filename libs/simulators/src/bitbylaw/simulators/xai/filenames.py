"""Reading and judging the filename of an upload (reference, Files REST: filename rule)."""

import re
from urllib.parse import unquote

from bitbylaw.simulators.xai.errors import bad_request

MAX_LENGTH = 255
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f\x85\u2028\u2029";\\]')
_EXTENDED = re.compile(r"filename\*\s*=\s*utf-8'[^']*'([^;\s]+)", re.IGNORECASE)
_QUOTED = re.compile(r'filename\s*=\s*"((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_TOKEN = re.compile(r'filename\s*=\s*([^;\s"]+)', re.IGNORECASE)
_QUOTED_PAIR = re.compile(r"\\(.)")


def received_filename(disposition: str) -> str | None:
    """Read the filename out of a Content-Disposition header, percent signs as they stand; None when there is none."""
    if extended := _EXTENDED.search(disposition):
        return unquote(extended[1])
    if quoted := _QUOTED.search(disposition):
        return _QUOTED_PAIR.sub(r"\1", quoted[1])
    token = _TOKEN.search(disposition)
    return token[1] if token else None


def check_filename(filename: str) -> None:
    """Raise `XaiError` (400) when xAI would not take this name."""
    if not filename:
        raise bad_request("Filename must not be empty.")
    if len(filename) > MAX_LENGTH:
        raise bad_request(f"Filename must not exceed {MAX_LENGTH} characters.")
    if _FORBIDDEN.search(filename):
        raise bad_request("Filename contains forbidden characters.")
    if not _is_unicode(filename):
        raise bad_request("Filename is not valid UTF-8.")


def _is_unicode(text: str) -> bool:
    """Say whether the header's bytes were UTF-8: aiohttp turns others into lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
