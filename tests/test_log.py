"""The log: one line per event in two formats, whatever a message contains, and never a wait for a reader."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar import log
from tests.support.waiting import patient

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
NASTY = ["two\nlines", "\r\n", "\x1b[31mred", "\x00", "\u2028", "\u0085", "\ud800", "é·…", "\x7f", "\u202e", "a" * 9000]


def record(text: str, *args: object, error: BaseException | None = None) -> logging.LogRecord:
    exc_info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("pilotfish.test", logging.WARNING, __file__, 1, text, args, exc_info)


def raised(message: str) -> ValueError:
    with pytest.raises(ValueError, match=message) as caught:
        raise ValueError(message)
    return caught.value


def test_a_line_that_cannot_be_formatted_is_replaced_by_one_that_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    class Broken(log.TextFormatter):
        def format(self, record: logging.LogRecord) -> str:
            if record.name == "pilotfish.test":
                raise OSError(24, "Too many open files")
            return super().format(record)

    handler = log.LineHandler()
    handler.setFormatter(Broken())
    handler.emit(record("a value"))
    assert capfd.readouterr().err.endswith("pilotfish.log: a line of pilotfish.test could not be formatted: OSError\n")


def test_without_a_free_descriptor_a_line_with_several_lines_is_logged() -> None:
    program = (
        "import logging, resource; from pilotfish.sidecar import log; log.set_up(); "
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3)); logging.getLogger('x').error('one\\ntwo')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.endswith("ERROR x: one\\ntwo\n")


def test_equal_lines_of_asyncio_are_logged_once_a_minute_with_their_number() -> None:
    now = 0.0
    repeats = log.RepeatFilter(lambda: now)
    assert [repeats.filter(record("socket.accept() out of system resource")) for _ in range(5)] == [True] + [False] * 4
    assert repeats.filter(record("another"))
    now = 61.0
    again = record("socket.accept() out of system resource")
    assert repeats.filter(again)
    assert again.getMessage() == "socket.accept() out of system resource (4 times more since the last line)"


def test_a_text_line_has_time_level_and_logger() -> None:
    line = log.TextFormatter().format(record("%s connections", 3))
    assert re.fullmatch(rf"{TIME} WARNING pilotfish\.test: 3 connections", line)


def test_a_json_line_has_the_same_fields() -> None:
    found = json.loads(log.JsonFormatter().format(record("%s connections", 3)))
    assert list(found) == ["ts", "level", "logger", "message"]
    assert re.fullmatch(TIME, found["ts"])
    assert (found["level"], found["logger"], found["message"]) == ("warning", "pilotfish.test", "3 connections")


def test_the_time_is_that_of_the_event_in_utc() -> None:
    assert log.rfc3339(0.0) == "1970-01-01T00:00:00.000Z"
    assert log.rfc3339(1_795_892_654.9996) == "2026-11-28T19:04:14.999Z"


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("formatter", [log.TextFormatter(), log.JsonFormatter()], ids=["text", "json"])
def test_a_value_cannot_begin_a_second_line(formatter: logging.Formatter, text: str) -> None:
    line = formatter.format(record("value %s", text))
    assert line.splitlines() == [line]
    assert line.isprintable()
    assert len(line.encode()) < log.MAX_LINE_BYTES


@given(st.text(st.characters(exclude_categories=()), max_size=3000))
def test_any_text_gives_one_printable_line_and_valid_json(text: str) -> None:
    for formatter in (log.TextFormatter(), log.JsonFormatter()):
        line = formatter.format(record("%s", text))
        assert line.isprintable()
        assert len(line.encode()) < log.MAX_LINE_BYTES
    found = json.loads(line)["message"]
    found.encode()  # no lone surrogate
    if len(text) < 300 and not any("\ud800" <= character <= "\udfff" for character in text):
        assert found == text


@pytest.mark.parametrize("formatter", [log.TextFormatter(), log.JsonFormatter()], ids=["text", "json"])
def test_an_exception_gives_its_class_and_place_but_not_its_message(formatter: logging.Formatter) -> None:
    line = formatter.format(record("it failed", error=raised("a body: 4711")))
    assert re.search(r"ValueError at test_log\.py:\d+", line)
    assert "4711" not in line


def test_causes_of_an_exception_are_named() -> None:
    error = raised("a")
    error.__cause__ = raised("b")
    assert log.describe_exception(error).count("ValueError at test_log.py:") == 2


def test_arguments_that_do_not_fit_the_message_are_no_error() -> None:
    assert "the arguments do not fit" in log.TextFormatter().format(record("%d", "x"))


@pytest.mark.parametrize(
    ("arguments", "environ", "expected"),
    [
        ([], {}, False),
        (["--log-format", "json"], {}, True),
        (["--log-format=json"], {}, True),
        (["--log-format"], {}, False),
        (["--log-format=text"], {"PILOTFISH_LOG_FORMAT": "json"}, False),
        (["--listen", ":1"], {"PILOTFISH_LOG_FORMAT": " json "}, True),
    ],
)
def test_the_format_of_usage_errors_is_known_before_the_command_line_is_parsed(
    arguments: list[str], environ: dict[str, str], expected: bool
) -> None:
    assert log.wants_json(arguments, environ) is expected


def run_program(*lines: str) -> subprocess.CompletedProcess[str]:
    """Run a program that logs as JSON; return what it wrote."""
    program = "\n".join(("import logging, threading, warnings", "from pilotfish.sidecar import log", *lines))
    return subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=patient(20)
    )


def test_warnings_threads_and_uncaught_exceptions_have_the_format_too() -> None:
    done = run_program(
        "log.set_up('json')",
        "warnings.warn('old\\nthing', stacklevel=1)",
        "logging.getLogger('asyncio').error('loop')",
        "thread = threading.Thread(target=lambda: 1 / 0); thread.start(); thread.join()",
        "raise SystemError('secret')",
    )
    found = [json.loads(line) for line in done.stderr.splitlines()]
    assert [item["logger"] for item in found] == ["py.warnings", "asyncio", "pilotfish", "pilotfish"]
    assert re.match(r"ZeroDivisionError at .*<string>:6$", found[2]["exception"])
    assert found[3]["exception"].startswith("SystemError at ")
    assert "secret" not in done.stderr
    assert done.returncode == 1


@pytest.mark.parametrize(("level", "count"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_the_level_is_the_lowest_that_is_logged(level: str, count: int) -> None:
    calls = [f"logging.getLogger('x').{name}('m')" for name in ("debug", "info", "warning", "error")]
    assert len(run_program(f"log.set_up('text', {level!r})", *calls).stderr.splitlines()) == count


def test_a_second_set_up_replaces_the_first() -> None:
    done = run_program("log.set_up('json')", "log.set_up('text')", "logging.getLogger('x').warning('once')")
    assert done.stderr.endswith(" WARNING x: once\n")
    assert done.stderr.count("\n") == 1


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    fcntl.fcntl(ends[0], fcntl.F_SETPIPE_SZ, 65536)
    yield ends
    for end in ends:
        os.close(end)


def test_a_reader_that_does_not_read_stops_nothing_and_lost_lines_are_counted(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = pipe
    handler = log.LineHandler()
    handler.setFormatter(log.TextFormatter())
    with open(os.dup(writing), "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        for number in range(1000):  # about 160 KiB, more than the pipe holds
            handler.emit(record("%s", f"{number:04d} {'x' * 100}"))
        before = os.read(reading, 1 << 20).decode().splitlines()
        handler.emit(record("after"))
        lost, last = os.read(reading, 1 << 20).decode().splitlines()
        monkeypatch.undo()
    assert [int(line.split(": ")[1][:4]) for line in before] == list(range(len(before)))
    assert lost.endswith(
        f"pilotfish.log: {1000 - len(before)} log lines were lost, because standard error was not read"
    )
    assert last.endswith("pilotfish.test: after")


@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full", "2> >(exit)"])
def test_a_standard_error_that_cannot_be_written_is_no_error(closed: str, tmp_path: Path) -> None:
    program = "from pilotfish.sidecar import log; import logging; log.set_up(); logging.error('x'); logging.error('y')"
    command = f"{sys.executable} -c {json.dumps(program)} {closed}"
    assert subprocess.run(["bash", "-c", command], check=False, timeout=patient(20)).returncode == 0


def test_it_needs_the_standard_library_only() -> None:
    code = "import sys, pilotfish.sidecar.log; print({n.split('.')[0] for n in sys.modules} - sys.stdlib_module_names)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "numpy" not in found
    assert "asyncio" not in found


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_exception_that_cannot_be_logged_for_lack_of_memory_is_one_line_of_the_format(form: str) -> None:
    done = run_program(
        f"log.set_up({form!r})",
        "def fail(*a, **k): raise MemoryError",
        "log.describe_exception = fail",
        "raise MemoryError",
    )
    (line,) = done.stderr.splitlines()
    text = json.loads(line)["message"] if form == "json" else line
    assert "memory ran out before it could be logged" in text
