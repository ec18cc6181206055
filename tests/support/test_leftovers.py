"""A test that changes the process which runs it is found out."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support.leftovers import changed, process_settings


def test_only_what_differs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    before = process_settings()
    assert changed(before, process_settings()) == ""
    monkeypatch.setenv("SOME_NAME", "7")
    assert changed(before, process_settings()) == "variable SOME_NAME: None became 7"
    umask = os.umask(0o027)
    try:
        assert changed(before, process_settings()) == f"umask: {umask} became 23; variable SOME_NAME: None became 7"
    finally:
        os.umask(umask)


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("os.nice(1)", "niceness: "),
        ("os.chdir('/')", "folder: "),
        ("resource.setrlimit(resource.RLIMIT_DATA, (1 << 33, 1 << 33))", "limits: "),
        ("signal.signal(signal.SIGTERM, signal.SIG_IGN)", "signal handlers: "),
    ],
)
def test_a_changed_process_is_found_out(statement: str, name: str) -> None:
    program = (
        "import os, resource, signal; from tests.support.leftovers import changed, process_settings; "
        f"before = process_settings(); {statement}; print(changed(before, process_settings()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(name)
