"""The fixture `spawn` keeps its promise: no child outlives its test, not even a stopped one."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from tests.support.processes import Children
from tests.support.waiting import wait_until


def test_children_end_even_when_stopped(tmp_path: Path) -> None:
    children = Children(tmp_path)
    child = children(sys.executable, "-c", "print('up', flush=True); import time; time.sleep(60)")
    wait_until(child.output, what="the child's first line")
    child.process.send_signal(signal.SIGSTOP)
    children.end()
    assert child.process.returncode == -signal.SIGKILL
    assert "up" in children.report()
