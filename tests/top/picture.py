"""Draws docs/top.svg: the table of a namespace, with one pod that does not answer and one model that drifts."""

from __future__ import annotations

import re
from io import StringIO

from rich.console import Console

from pilotfish.sidecar.top.history import TopSnapshot
from pilotfish.sidecar.top.rows import Row
from pilotfish.sidecar.top.table import screen
from pilotfish.sidecar.top.view import TableView

WIDTH, HEIGHT = 130, 10
_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)

ROWS = (
    Row(
        namespace="shop", model="delays", version="7", answering=4, asked=4, heard=4, expected=4, desired=5,
        requests_per_second=412.0, p95_seconds=0.0213, error_ratio=0.0, cpu_cores=2.61, gpus=0.84,
        cpu_seconds_per_request=0.00633, gpu_seconds_per_request=0.00204, cost_per_1000=0.0046, drift=0.04, episodes=0,
        state="watching",
    ),
    Row(
        namespace="shop", model="prices", version="11", answering=11, asked=12, heard=11, expected=12,
        requests_per_second=96.4, p95_seconds=0.178, error_ratio=0.012, cpu_cores=5.32,
        cpu_seconds_per_request=0.0552, cost_per_1000=0.0021, drift=0.31, episodes=0,
        state="1 of 12 no answer 34 s", tone="warning",
    ),
    Row(
        namespace="shop", model="ranking", version="2026-11", answering=3, asked=3, heard=3, expected=3, desired=3,
        requests_per_second=1280.0, p95_seconds=0.0041, error_ratio=0.0, cpu_cores=1.9,
        cpu_seconds_per_request=0.00148, cost_per_1000=0.00006, drift=1.7, episodes=1, state="drift", tone="warning",
    ),
    Row(
        namespace="shop", model="chat", version="3", answering=0, asked=2, heard=0, expected=2,
        state="PodsSilent", tone="bad", silent_seconds=190.0,
    ),
    Row(
        namespace="shop", model="returns", version="1", answering=1, asked=1, heard=1, expected=1,
        requests_per_second=0.3, p95_seconds=0.044, error_ratio=0.0, cpu_cores=0.02, cpu_seconds_per_request=0.0667,
        cost_per_1000=0.0009, state="learning",
    ),
)  # fmt: skip


def picture() -> str:
    """Return the picture as SVG, without fonts that a viewer would download."""
    console = Console(
        record=True, width=WIDTH, height=HEIGHT, file=StringIO(), force_terminal=True, color_system="truecolor"
    )
    title = "pilotfish top: shop of https://api.cluster.example"
    console.print(screen(title, TopSnapshot(), ROWS, TableView(), WIDTH, HEIGHT))
    return _FONT.sub("", console.export_svg(title="pilotfish top -n shop")) + "\n"
