"""Executes docs/notebook.ipynb, and writes it with its new outputs: `make notebook`."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "docs/notebook.ipynb"
SECONDS = 600  # at most, for one cell

# In a process of its own: the libraries of the kernel warn about matters that are not ours, and tests fail at warnings.
PROGRAM = """
import sys, nbformat
from nbclient import NotebookClient

notebook = nbformat.read(sys.stdin, as_version=4)
client = NotebookClient(notebook, timeout=int(sys.argv[1]), kernel_name="python3", record_timing=False)
client.execute(cwd=sys.argv[2])
for cell in notebook.cells:  # progress, which appears on a slow machine only
    if cell.cell_type == "code":
        cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
print(nbformat.writes(notebook))
"""


def read(path: Path = NOTEBOOK) -> dict[str, Any]:
    """Return the notebook as plain JSON values."""
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def executed(notebook: dict[str, Any], seconds: int = SECONDS) -> dict[str, Any]:
    """Return the notebook with the outputs of a new run, in an empty folder."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-c", PROGRAM, str(seconds), folder]
        environment = {**os.environ, "PYTHONWARNINGS": "ignore", "IPYTHONDIR": folder, "JUPYTER_PLATFORM_DIRS": "1"}
        made = subprocess.run(
            command, input=json.dumps(notebook), capture_output=True, text=True, check=False, env=environment
        )
    if made.returncode:
        raise RuntimeError(f"the notebook failed: {made.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(made.stdout)
    return {**copy.deepcopy(notebook), "cells": found["cells"]}


if __name__ == "__main__":
    NOTEBOOK.write_text(json.dumps(executed(read()), indent=1, ensure_ascii=False) + "\n")
