"""The sampling process is small: it runs beside each sidecar on a machine with GPUs."""

from __future__ import annotations

import subprocess
import sys

from tests.support.waiting import patient

HEAVY = {"aiohttp", "asyncio", "msgspec", "numpy", "prometheus_client"}
MOST_MODULES = 170  # with those of the interpreter and of an editable installation; 143 with Python 3.11


def test_it_loads_the_standard_library_and_nvidia_ml_py_only() -> None:
    program = "import sys, pynvml, pilotfish.sidecar.resources.gpu.child; print(*sys.modules)"
    output = subprocess.run(
        [sys.executable, "-P", "-c", program], check=True, capture_output=True, text=True, timeout=patient(30)
    ).stdout.split()
    assert not {name.partition(".")[0] for name in output} & HEAVY
    assert len(output) <= MOST_MODULES
