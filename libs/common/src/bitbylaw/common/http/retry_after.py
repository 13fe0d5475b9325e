"""The `Retry-After` header: seconds or an HTTP date (RFC 9110, 10.2.3)."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

#: Nobody is believed who asks for more than this (seconds).
LONGEST = 3600.0


def retry_after(header: str | None, now: datetime) -> float | None:
    """The pause in seconds that `header` asks for, between 0 and an hour; None if it asks for none."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdecimal():
        return min(float(text), LONGEST)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return min(max((until - now).total_seconds(), 0.0), LONGEST)
