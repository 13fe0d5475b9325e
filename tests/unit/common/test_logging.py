"""Log lines: one JSON object each, and nothing of what a traceback's variables held."""

import asyncio
import io
import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
import structlog

from bitbylaw.common.telemetry.logging import LineWriter, LogFormat, LogLevel, configure_logging, get_logger
from bitbylaw.common.telemetry.trace import TraceParent, current_trace


@pytest.fixture(autouse=True)
def _structlog_as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def _fail() -> None:
    api_key = "geheim-4711"
    raise ValueError(f"a key of {len(api_key)} characters")


@pytest.mark.parametrize("log_format", LogFormat)
def test_tracebacks_hold_no_local_variables(log_format: LogFormat, capsys: pytest.CaptureFixture[str]) -> None:
    """A crash is logged with its error and place; the variables around it may be keys and personal data."""
    configure_logging("test", log_format, LogLevel.INFO)
    try:
        _fail()
    except ValueError as error:
        get_logger("part").error("crashed", exc_info=error)
    written = capsys.readouterr().err
    assert "a key of 11 characters" in written
    assert "_fail" in written
    assert "geheim" not in written


def test_json_line_has_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    """Service, component, level, time and the trace in progress stand in each line; lesser levels in none."""
    configure_logging("test", LogFormat.JSON, LogLevel.INFO)
    trace = TraceParent.new()
    token = current_trace.set(trace)
    try:
        get_logger("part").debug("unheard")
        get_logger("part").info("said", count=3)
    finally:
        current_trace.reset(token)
    line = json.loads(capsys.readouterr().err)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "said",
        "count": 3,
        "level": "info",
        "service": "test",
        "component": "part",
        "trace": trace.trace_id,
    }


def test_half_a_surrogate_pair_can_be_logged(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Text that is no Unicode, which only outsiders can send, is logged with an escape and breaks nothing."""
    code = (
        "from bitbylaw.common.telemetry.logging import *\n"
        "configure_logging('t', LogFormat.JSON, LogLevel.INFO)\n"
        "get_logger('c').info('event', subject='a\\ud800', other='ü')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603  (our own code)
    line = json.loads(capfdbinary.readouterr().err)
    assert (line["subject"], line["other"]) == ("a\ud800", "ü")


async def test_lines_wait_for_one_another_and_warnings_for_nobody() -> None:
    """Below a warning, lines are written together soon; a warning is written at once, after what waited before it."""
    file = io.BytesIO()
    writer = LineWriter(file)
    writer.info(b"one")
    writer.info(b"two")
    assert file.getvalue() == b""
    writer.warning(b"three")
    assert file.getvalue() == b"one\ntwo\nthree\n"
    writer.info(b"four")
    async with asyncio.timeout(5):
        while not file.getvalue().endswith(b"four\n"):  # noqa: ASYNC110  (the loop calls the writer)
            await asyncio.sleep(0)


def test_without_an_event_loop_lines_are_written_at_once() -> None:
    """Outside an event loop nothing waits: there is nobody to write it later."""
    file = io.BytesIO()
    LineWriter(file).info(b"one")
    assert file.getvalue() == b"one\n"
