"""Retry-After in both of its forms, and whatever else stands there."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import hypothesis.strategies as st
import pytest
from hypothesis import given

from bitbylaw.common.http.retry_after import LONGEST, retry_after

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


@given(st.integers(0, 10**30))
def test_seconds(seconds: int) -> None:
    """Seconds are taken as they are, up to an hour."""
    assert retry_after(f" {seconds} ", NOW) == min(seconds, LONGEST)


@given(st.integers(-(10**6), 10**6))
def test_date(offset: int) -> None:
    """A date is the time until then: 0 when it is past, an hour at most."""
    header = format_datetime(NOW + timedelta(seconds=offset), usegmt=True)
    assert retry_after(header, NOW) == min(max(offset, 0), LONGEST)


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [-+]\d{4}"))
def test_anything(header: str) -> None:
    """No text raises, and no pause is negative or longer than an hour."""
    pause = retry_after(header, NOW)
    assert pause is None or 0 <= pause <= LONGEST


@pytest.mark.parametrize("header", [None, "", "soon", "-5", "1.5", "½", "Tue, 99 Foo 2026"])
def test_nothing_to_be_read(header: str | None) -> None:
    """Missing or malformed is None, so that the caller's own backoff decides."""
    assert retry_after(header, NOW) is None


def test_zone_unknown_is_greenwich() -> None:
    """A date that leaves its zone open (-0000) is read as Greenwich time."""
    assert retry_after("Tue, 24 Nov 2026 12:00:30 -0000", NOW) == 30
