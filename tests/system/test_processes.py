"""Limits and priority of a process, bounded children, the death of the parent, and the token file."""

from __future__ import annotations

import os
import resource
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pilotfish.sidecar.errors import UsageError
from pilotfish.sidecar.system.children import ChildOutputError, ChildTimeoutError, run_bounded
from pilotfish.sidecar.system.tokens import MAX_SECRET_BYTES, read_token
from tests.support.waiting import patient

LIMITS = "from pilotfish.sidecar.system import limits; import resource, os; "


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def output_of(program: str) -> str:
    return run_bounded(python(LIMITS + program), seconds=patient(30), most_output=10_000).output.decode().strip()


def test_an_allocation_above_the_data_limit_is_a_memory_error() -> None:
    program = "limits.limit_data(80 << 20)\ntry: bytes(200 << 20)\nexcept MemoryError: print('refused')"
    assert output_of(program) == "refused"
    assert output_of("limits.limit_data(0); print(resource.getrlimit(resource.RLIMIT_DATA)[0])") == str(
        resource.getrlimit(resource.RLIMIT_DATA)[0]
    )


def test_a_limit_never_exceeds_the_hard_one() -> None:
    program = (
        "resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30)); limits.limit_data(1 << 40); "
        "print(resource.getrlimit(resource.RLIMIT_DATA) == (1 << 30, 1 << 30))"
    )
    assert output_of(program) == "True"


@pytest.mark.long
def test_cpu_time_is_limited() -> None:
    done = run_bounded(
        python(LIMITS + "limits.limit_processor(1)\nwhile True: pass"), seconds=patient(30), most_output=0
    )
    assert done.status == -signal.SIGXCPU


def test_the_limit_of_descriptors_is_raised_to_the_hard_limit() -> None:
    program = (
        "resource.setrlimit(resource.RLIMIT_NOFILE, (30, 60)); "
        "print(limits.raise_descriptor_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    assert output_of(program) == "60 60 60"


@pytest.mark.parametrize(("before", "after"), [(0, 700), (200, 900), (995, 1000)])
def test_priority_is_lowered(before: int, after: int) -> None:
    program = (
        f"open(limits.OOM_SCORE, 'w').write('{before}'); "
        "limits.lower_priority(niceness=7, oom_score=700, batch=True); "
        "print(os.nice(0), open(limits.OOM_SCORE).read().strip(), os.sched_getscheduler(0) == os.SCHED_BATCH)"
    )
    assert output_of(program) in {f"{os.nice(0) + 7} {after} True", f"19 {after} True"}


def test_status_and_output_of_a_child_are_returned() -> None:
    done = run_bounded(
        python("import sys; print(sys.stdin.read() + 'x' * 9999); sys.exit(3)"), seconds=patient(30), most_output=10_000
    )
    assert (done.status, done.output) == (3, b"x" * 9999 + b"\n")


@pytest.mark.long
def test_a_child_that_takes_too_long_is_killed_with_output_or_without() -> None:
    for program in ("import signal; signal.pause()", "while True: print(end='', flush=True)"):
        with pytest.raises(ChildTimeoutError, match=r"more than 0\.3 s"):
            run_bounded(python(program), seconds=0.3, most_output=100)
    with pytest.raises(ChildTimeoutError):  # it closes its output and continues
        run_bounded(python("import os, signal; os.close(1); signal.pause()"), seconds=1, most_output=100)


def test_a_child_with_too_much_output_is_killed() -> None:
    with pytest.raises(ChildOutputError, match="more than 1000 bytes"):
        run_bounded(python("while True: print('x' * 100)"), seconds=patient(30), most_output=1000)


def test_the_environment_is_inherited_or_replaced() -> None:
    program = "import os; print(os.environ.get('ONLY', 'none'))"
    assert run_bounded(python(program), seconds=patient(30), most_output=99).output == b"none\n"
    given = {**os.environ, "ONLY": "this"}
    assert run_bounded(python(program), seconds=patient(30), most_output=99, environment=given).output == b"this\n"


def test_the_wrapped_program_ends_with_its_parent() -> None:
    wrapped = [sys.executable, "-m", "pilotfish.sidecar.system.parent_death"]
    endless = python("import signal; print(flush=True); signal.pause()")
    parent = (
        "import os, subprocess\n"
        f"child = subprocess.Popen([*{wrapped!r}, str(os.getpid()), *{endless!r}], stdout=subprocess.PIPE)\n"
        "child.stdout.readline(); print(child.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(python(parent), stdout=subprocess.PIPE, timeout=patient(30), check=False)
    assert done.returncode == -signal.SIGKILL
    assert not Path(f"/proc/{int(done.stdout)}/cmdline").exists() or ends(int(done.stdout))


def ends(pid: int) -> bool:
    """Wait for the end of a process that is not a child; return whether it ended in time."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], patient(20))[0])
    finally:
        os.close(descriptor)


def test_nothing_is_started_if_the_parent_has_died() -> None:
    wrapped = [sys.executable, "-m", "pilotfish.sidecar.system.parent_death", "1", *python("print('started')")]
    assert subprocess.run(wrapped, stdout=subprocess.PIPE, timeout=patient(30), check=True).stdout == b""


def test_a_token_is_read_without_white_space(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(b"\n secret \n")
    assert read_token(path) == b"secret"
    for content in (b"", b" \n", b"x" * (MAX_SECRET_BYTES + 1)):
        path.write_bytes(content)
        with pytest.raises(UsageError, match=r"holds [0-9]+ bytes; give 1 to 4096"):
            read_token(path)
    with pytest.raises(UsageError, match="cannot read the token file"):
        read_token(tmp_path / "none")
