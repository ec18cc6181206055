"""Writes the pictures of docs/dashboards.md: `python -m tests.dashboards.pictures [SECONDS]`.

It runs the scene of the tests for SECONDS (default 300), lets the traffic drift after half of them, and draws every
dashboard from that Prometheus. It needs Prometheus and Chromium.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from pathlib import Path

from pilotfish.sidecar.dashboards.files import load
from tests.control.receiver import receiving
from tests.dashboards.rendering import screenshot, svg_of
from tests.dashboards.scene import running
from tests.support.processes import Children

FOLDER = Path(__file__).resolve().parents[2] / "docs/dashboards"
SECTIONS = {"model": 5}  # the first ones, where a picture of all would be too long
SCALE = {
    "feature": 0.75,
    "model": 0.7,
    "own": 0.65,
    "resources": 0.65,
}  # pixels of a picture per pixel of a screen, to keep it under 300 KB


def main(seconds: float = 300) -> None:
    """Write one PNG for each dashboard."""
    FOLDER.mkdir(exist_ok=True)
    pause = threading.Event()
    with tempfile.TemporaryDirectory(prefix="pilotfish-pictures-") as name:
        folder = Path(name)
        spawn = Children(folder)
        try:
            with receiving() as receiver, running(folder, spawn, receiver.url) as scene:
                pause.wait(seconds / 2)
                scene.traffic.drift.set()
                pause.wait(seconds / 2)
                for file in load():
                    chosen = {"namespace": "shop"}
                    sections = SECTIONS.get(file.name)
                    svg, width, height = svg_of(file.content, scene.prometheus, seconds, chosen, sections=sections)
                    path = FOLDER / f"{file.name}.png"
                    screenshot(svg, width, height, path, scale=SCALE.get(file.name, 1.0))
                    print(f"wrote {path}: {path.stat().st_size:,} bytes", flush=True)
        finally:
            spawn.end()


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
