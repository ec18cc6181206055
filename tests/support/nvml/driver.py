"""A scripted driver of NVIDIA: `nvml.c`, compiled once, loaded by the real nvidia-ml-py through LD_LIBRARY_PATH."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.waiting import patient

SOURCE = Path(__file__).with_name("nvml.c")
LIBRARY = "libnvidia-ml.so.1"
COMPILER = shutil.which("cc")


def build(folder: Path, *flags: str) -> Path:
    """Compile the library into `folder`; return the folder."""
    assert COMPILER is not None
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        COMPILER,
        "-std=gnu11",
        "-O1",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-shared",
        "-fPIC",
        f"-Wl,-soname,{LIBRARY}",
        *flags,
    ]
    subprocess.run([*command, "-o", folder / LIBRARY, SOURCE], check=True, timeout=patient(60))
    return folder


def gpu(index: int) -> dict[str, object]:
    """Return the lines of a healthy H100 that is half busy."""
    lines: dict[str, object] = {
        "uuid": f"GPU-{index}",
        "name": "NVIDIA H100 80GB HBM3",
        "utilization": 50,
        "memory_utilization": 20,
        "memory_total": 80 << 30,
        "memory_used": 20 << 30,
        "memory_free": 59 << 30,
        "power": 300_000,
        "power_limit": 700_000,
        "energy": 5_000_000,
        "temperature": 60,
        "ecc_corrected": 3,
        "ecc_uncorrected": 0,
        "mig": 0,
        "gpm": 1,
        "gpm_running": 55.5,
        "gpm_busy": 25.5,
        "rates": "50 50",
        "xids": "",
        "processes": "41:1024 42:2048",
        "tasks": "41:30:5 42:10:2",
    }
    return {f"{name}.{index}": value for name, value in lines.items()}


def instance(index: int, number: int) -> dict[str, object]:
    """Return the lines of a MIG instance, a seventh of a GPU."""
    lines: dict[str, object] = {
        "uuid": f"MIG-{index}-{number}",
        "gpu_instance": 7 + number,
        "compute_instance": 0,
        "slices": 1,
        "memory_total": 10 << 30,
        "memory_used": 1 << 30,
        "memory_free": 9 << 30,
        "processes": f"5{number}:512",
    }
    return {f"instance.{index}.{number}.{name}": value for name, value in lines.items()}


@dataclass
class ScriptedDriver:
    """A driver with `lines` for its library in the folder `library`; each change is seen by the next call of NVML."""

    library: Path
    script: Path
    lines: dict[str, object] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a process that loads this driver."""
        return {**os.environ, "LD_LIBRARY_PATH": str(self.library), "NVML_SCRIPT": str(self.script)}

    def devices(self, count: int) -> None:
        """Have `count` healthy GPUs."""
        healthy = {name: value for index in range(count) for name, value in gpu(index).items()}
        self.change({"driver": "580.65.06", "devices": count, **healthy})

    def change(self, lines: Mapping[str, object]) -> None:
        """Set lines; None removes one."""
        self.lines |= dict(lines)
        self.lines = {name: value for name, value in self.lines.items() if value is not None}
        written = self.script.with_suffix(".new")
        written.write_text("".join(f"{name}={value}\n" for name, value in self.lines.items()))
        written.replace(self.script)
