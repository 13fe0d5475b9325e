"""Logs are events with fields, one JSON object a line (or coloured columns for a terminal).

No decoration, no personal data: log ids, counts, kinds and durations; never names, texts or bodies.
"""

import asyncio
import atexit
import json
import logging
import sys
from collections.abc import Callable
from enum import StrEnum
from typing import BinaryIO

import msgspec
import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

from bitbylaw.common.telemetry.trace import current_trace


class LogFormat(StrEnum):
    """How a log line looks."""

    JSON = "json"
    CONSOLE = "console"


class LogLevel(StrEnum):
    """The least grave events that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def _add_trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    trace = current_trace.get()
    if trace is not None:
        event.setdefault("trace", trace.trace_id)
    return event


#: Seconds that an event below a warning may wait for others before all are written together.
WRITE_AFTER = 0.05


class LineWriter:
    """Writes lines: warnings and worse at once, the rest together every few hundredths of a second.

    A write for each of thousands of events a second costs the event loop more than what the events tell of. Order is
    kept, since a warning takes along what waits; a process that is killed loses what waited.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._waiting: list[bytes] = []

    def later(self, line: bytes) -> None:
        """Write `line` soon; at once where no event loop runs."""
        self._waiting.append(line)
        if len(self._waiting) > 1:
            return
        try:
            asyncio.get_running_loop().call_later(WRITE_AFTER, self.flush)
        except RuntimeError:
            self.flush()

    def now(self, line: bytes) -> None:
        """Write `line` and all that waits."""
        self._waiting.append(line)
        self.flush()

    def flush(self) -> None:
        """Write all that waits."""
        if self._waiting:
            lines, self._waiting = self._waiting, []
            self._file.write(b"\n".join(lines) + b"\n")
            self._file.flush()

    # structlog calls the method named like the level.
    debug = info = msg = later
    warning = warn = error = exception = critical = fatal = now


def _render_json(_logger: WrappedLogger, _method: str, event: EventDict) -> bytes:
    try:
        return msgspec.json.encode(event, enc_hook=repr)
    except UnicodeEncodeError:  # half a surrogate pair in what somebody sent: written as an escape
        return json.dumps(event, default=repr).encode()


def configure_logging(service: str, log_format: LogFormat, level: LogLevel) -> None:
    """Send this process's logs to standard error in `log_format`, from `level` on, each with the service's name."""
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_trace,
    ]
    if log_format is LogFormat.JSON:
        # Without local variables, which both renderers would show by default: they hold keys, names and bodies.
        tracebacks = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
        processors += [tracebacks, _render_json]
        writer = LineWriter(sys.stderr.buffer)
        atexit.register(writer.flush)
        factory: Callable[..., LineWriter | structlog.PrintLogger] = lambda *_: writer  # noqa: E731  (a factory)
    else:
        factory = structlog.PrintLoggerFactory(sys.stderr)
        plain = structlog.dev.plain_traceback
        processors.append(structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain))
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s", stream=sys.stderr)
    # nats-py logs every broken connection with a traceback; our own event `bus_disconnected` says it once.
    logging.getLogger("nats").setLevel(logging.CRITICAL)


def get_logger(component: str) -> FilteringBoundLogger:
    """The logger of one part of a service."""
    logger: FilteringBoundLogger = structlog.get_logger(component=component)
    return logger
