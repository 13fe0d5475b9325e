"""The header Retry-After: seconds or a date. Source: RFC 9110, section 10.2.3."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

#: The longest pause taken over from an upstream: a typing error there must not park an event for years.
LONGEST = 3600.0


def retry_after(value: str | None, now: datetime) -> float | None:
    """The pause in seconds that a Retry-After header asks for at `now` (aware), None if there is none to be read.

    Never negative, never above LONGEST.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdecimal():
        return min(float(text), LONGEST)
    try:
        date = parsedate_to_datetime(text)
        if date.tzinfo is None:  # "-0000": in this header always Greenwich time
            date = date.replace(tzinfo=UTC)
        return min(max((date - now).total_seconds(), 0.0), LONGEST)
    except (ValueError, TypeError, IndexError, OverflowError):  # no date, or one at the edge of the calendar
        return None
