"""Hypothesis strategies for the types that everything speaks in."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from bitbylaw.common.events import Action, Event, Kind
from bitbylaw.common.telemetry.trace import TraceParent

_HEX = "0123456789abcdef"


def hex_digits(count: int) -> st.SearchStrategy[str]:
    """Exactly `count` lowercase hex digits."""
    return st.text(_HEX, min_size=count, max_size=count)


def entity_ids() -> st.SearchStrategy[str]:
    """Ids of both forms that EspoCRM gives."""
    return hex_digits(17) | st.uuids().map(str)


def traces() -> st.SearchStrategy[TraceParent]:
    """Well-formed places in a trace."""
    trace_ids = hex_digits(32).filter(lambda text: set(text) != {"0"})
    span_ids = hex_digits(16).filter(lambda text: set(text) != {"0"})
    return st.builds(TraceParent, trace_ids, span_ids, sampled=st.booleans())


def times() -> st.SearchStrategy[datetime]:
    """Moments in UTC, in the milliseconds that headers carry."""
    return st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001  (zone given beside)
        lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000)
    )


def events() -> st.SearchStrategy[Event]:
    """Events as our own services make them."""
    words = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=40)
    return st.builds(
        Event,
        kind=st.sampled_from(Kind),
        action=st.sampled_from(Action),
        entity_id=entity_ids(),
        source=words,
        time=times(),
        trace=traces(),
        attempt=st.integers(0, 999),
        force=st.booleans(),
        id=words,
    )
