"""Logging of the long-running processes: one line per event on standard error, as text or as JSON.

    logging.getLogger("pilotfish.PART").info(...)  -->  set_up(format, level)  -->  standard error

Each process calls `set_up` once, before anything else. The lines of all processes may go to one pipe, so each line is
one write of at most MAX_LINE_BYTES, which Linux does not mix with others. A reader that stops reading must not stop the
traffic: lines that do not fit into the pipe at once are dropped and counted. Standard library only.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import select
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import PurePath
from types import TracebackType

FORMATS = ("text", "json")
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
DEFAULT_FORMAT, DEFAULT_LEVEL = "text", "info"

MAX_LINE_BYTES = select.PIPE_BUF  # 4096: up to this size, a write to a pipe is atomic
MAX_FRAMES = 12  # of a traceback
MAX_CAUSES = 4
REPEAT_SECONDS = 60.0  # between two equal lines of asyncio
MOST_REPEATS = 1000  # messages that are remembered for that

_LOST = "%d log lines were lost, because %s was not read"
_UNFORMATTED = "a line of %s could not be formatted: %s"
_STREAMS = {"stderr": "standard error", "stdout": "standard output"}
_NO_MEMORY = "an exception was not caught, and memory ran out before it could be logged"


def add_log_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--log-format` and `--log-level`."""
    parser.add_argument(
        "--log-format",
        choices=FORMATS,
        default=DEFAULT_FORMAT,
        metavar="FORMAT",
        help=f"format of the log on standard error: {' or '.join(FORMATS)} (default %(default)s)",
    )
    parser.add_argument(
        "--log-level",
        choices=tuple(LEVELS),
        default=DEFAULT_LEVEL,
        metavar="LEVEL",
        help=f"lowest level to log: {', '.join(LEVELS)} (default %(default)s)",
    )


def wants_json(arguments: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Return whether a command line asks for JSON, before it is parsed: its errors must have the format, too."""
    asked = environ.get("PILOTFISH_LOG_FORMAT", "").strip()
    for index, word in enumerate(arguments):
        flag, equals, value = word.partition("=")
        if flag == "--log-format":
            asked = value if equals else "".join(arguments[index + 1 : index + 2])
    return asked == "json"


def set_up(log_format: str = DEFAULT_FORMAT, level: str = DEFAULT_LEVEL) -> None:
    """Log to standard error, also exceptions that nothing catches; replace an earlier set-up.

    `log_format` is one of FORMATS, `level` a key of LEVELS.
    """
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, LineHandler)]:
        root.removeHandler(handler)
    handler = LineHandler()
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    root.addHandler(handler)
    root.setLevel(LEVELS[level])
    escape_line("\n")  # loads the codec now: later, no descriptor may be free
    asyncio_log = logging.getLogger("asyncio")
    if not any(isinstance(found, RepeatFilter) for found in asyncio_log.filters):
        asyncio_log.addFilter(RepeatFilter())
    logging.captureWarnings(capture=True)
    fallback = handler.format(_own_record(_NO_MEMORY)).encode() + b"\n"
    sys.excepthook = lambda _, error, __: _log_uncaught("the process ends", error, fallback)
    sys.unraisablehook = lambda found: _log_uncaught("a finalizer failed", found.exc_value, fallback)
    threading.excepthook = lambda found: _log_uncaught("a thread ends", found.exc_value, fallback)


def escape_line(text: str) -> str:
    r"""Return `text` as one line: each unprintable character is replaced by its escape, such as `\n` or `\x1b`."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def describe_exception(error: BaseException) -> str:
    """Return the class of `error`, the places that it passed (innermost last), and its causes.

    Its message is left out, because it could contain a part of a body.
    """
    found: list[str] = []
    current: BaseException | None = error
    while current is not None and len(found) < MAX_CAUSES:
        places = " > ".join(_places(current.__traceback__)[-MAX_FRAMES:])
        found.append(f"{type(current).__name__} at {places or 'an unknown place'}")
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return ", caused by ".join(found)


class TextFormatter(logging.Formatter):
    """Formats a record as `TIME LEVEL LOGGER: MESSAGE`, on one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, with unprintable characters escaped and a long message cut."""
        text = _message(record)
        if (exception := _exception(record)) is not None:
            text = f"{text}: {exception}"
        head = f"{rfc3339(record.created)} {record.levelname} {record.name}: "
        return _cut(escape_line(head + text), MAX_LINE_BYTES - 1)


class JsonFormatter(logging.Formatter):
    """Formats a record as a JSON object with ts, level, logger, message and, after an exception, its location."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, in ASCII; the message is cut so that the line fits into MAX_LINE_BYTES."""
        fields = {
            "ts": rfc3339(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _without_surrogates(_message(record)),
        }
        if (exception := _exception(record)) is not None:
            fields["exception"] = _cut(exception, MAX_LINE_BYTES // 4)
        line = json.dumps(fields)
        while len(line) >= MAX_LINE_BYTES and len(fields["message"]) > 1:
            excess = len(line) - MAX_LINE_BYTES + 8
            kept = max(len(fields["message"]) // 2, len(fields["message"]) - excess)
            fields["message"] = fields["message"][: kept - 1] + "…"
            line = json.dumps(fields)
        return line


class RepeatFilter(logging.Filter):
    """Lets a line pass once a minute, with the number of equal ones since then.

    asyncio logs one line for each place in the backlog, each second, while no descriptor is free.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._seen: dict[object, tuple[float, int]] = {}  # when a message was logged, and how many followed

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is logged."""
        now, key = self._clock(), record.msg
        logged_at, more = self._seen.get(key, (-math.inf, 0))
        if now - logged_at < REPEAT_SECONDS:
            self._seen[key] = logged_at, more + 1
            return False
        if len(self._seen) >= MOST_REPEATS:
            self._seen.clear()
        self._seen[key] = now, 0
        if more:
            record.msg, record.args = "%s (%d times more since the last line)", (_message(record), more)
        return True


class LineHandler(logging.Handler):
    """Writes each line to a standard stream with one write that never waits, and counts the lines that were lost."""

    def __init__(self, stream: str = "stderr") -> None:
        super().__init__()
        self._stream = stream
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line of `record`; a closed or full stream is ignored. A line always replaces one with a fault."""
        try:
            line = self.format(record)
        except MemoryError:
            raise
        except Exception as error:  # such as a module of the formatter that cannot be loaded without a free descriptor
            line = self.format(_own_record(_UNFORMATTED, record.name, type(error).__name__))
        try:
            if self._lost and self._write(self.format(_own_record(_LOST, self._lost, _STREAMS[self._stream]))):
                self._lost = 0
            if self._lost or not self._write(line):
                self._lost += 1
        except (OSError, ValueError):
            self._lost += 1

    def _write(self, line: str) -> bool:
        stream = getattr(sys, self._stream)
        if stream is None:
            return False
        try:
            descriptor = stream.fileno()
        except (OSError, ValueError):  # a stream in memory, as in tests
            stream.write(f"{line}\n")
            return True
        if not _writable(descriptor):
            return False
        os.write(descriptor, f"{line}\n".encode("utf-8", "backslashreplace"))
        return True


def rfc3339(seconds: float) -> str:
    """Return the epoch time as RFC 3339 in UTC, with milliseconds."""
    whole, fraction = divmod(int(seconds * 1000), 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{fraction:03d}Z"


def whole_second(seconds: float) -> str:
    """Return an epoch time as Kubernetes writes it: RFC 3339 in UTC, without fractions."""
    return f"{rfc3339(seconds)[:19]}Z"


def _writable(descriptor: int) -> bool:
    """Return whether a write of MAX_LINE_BYTES returns at once."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return any(event & select.POLLOUT for _, event in poll.poll(0))


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # the arguments do not fit the format: a fault of the caller that must not stop it
        return f"{record.msg} (the arguments do not fit: {type(error).__name__})"


def _exception(record: logging.LogRecord) -> str | None:
    error = record.exc_info[1] if record.exc_info else None
    return describe_exception(error) if error is not None else None


def _places(trace: TracebackType | None) -> list[str]:
    found = []
    while trace is not None:
        found.append(f"{PurePath(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return found


def _cut(text: str, limit: int) -> str:
    """Return `text` cut to `limit` bytes of UTF-8."""
    raw = text.encode("utf-8", "backslashreplace")
    return text if len(raw) <= limit else raw[: limit - 3].decode("utf-8", "ignore") + "…"


def _without_surrogates(text: str) -> str:
    """Return `text` with lone surrogates escaped, because JSON parsers refuse them."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _own_record(text: str, *values: object) -> logging.LogRecord:
    return logging.LogRecord("pilotfish.log", logging.WARNING, __file__, 0, text, values, None)


def _log_uncaught(what: str, error: BaseException | None, fallback: bytes) -> None:
    """Log an exception that nothing caught; without memory for the line, write the line `fallback`."""
    if error is None or isinstance(error, KeyboardInterrupt):
        return
    try:
        logging.getLogger("pilotfish").critical("%s: an exception was not caught", what, exc_info=error)
    except MemoryError:
        with suppress(OSError):
            os.write(2, fallback)
