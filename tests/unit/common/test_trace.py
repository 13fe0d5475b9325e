"""W3C traceparent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.strategies import traces

from bitbylaw.common.telemetry.trace import TraceParent

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@given(traces())
def test_header_round_trip(trace: TraceParent) -> None:
    """A place in a trace survives its header, spaces around it included."""
    assert TraceParent.parse(trace.header()) == trace
    assert TraceParent.parse(f" {trace.header()} ") == trace


@given(traces())
def test_child_is_another_span_of_the_same_trace(trace: TraceParent) -> None:
    """A child keeps trace and sampling, and gets a span of its own."""
    child = trace.child()
    assert (child.trace_id, child.sampled) == (trace.trace_id, trace.sampled)
    assert child.span_id != trace.span_id
    assert TraceParent.parse(child.header()) == child


def test_new_traces_are_well_formed_and_distinct() -> None:
    """A new trace can be sent, and no two are the same."""
    made = [TraceParent.new() for _ in range(100)]
    assert [TraceParent.parse(one.header()) for one in made] == made
    assert len({one.trace_id for one in made}) == 100


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "garbage",
        f"00-{TRACE}-{SPAN}",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0g",
        f"00-{TRACE}-{SPAN}-01x",
        f"00-{TRACE}-{SPAN}-01\nX: y",
    ],
)
def test_malformed_header_is_none(header: str | None) -> None:
    """A malformed header starts no trace of its own: the caller makes a new one."""
    assert TraceParent.parse(header) is None


@given(st.text())
def test_any_text_is_a_trace_or_nothing(header: str) -> None:
    """No text makes parsing fail."""
    TraceParent.parse(header)


def test_later_versions_are_understood() -> None:
    """A later version may append fields; its first four mean the same."""
    assert TraceParent.parse(f"01-{TRACE}-{SPAN}-00-more") == TraceParent(TRACE, SPAN, sampled=False)
