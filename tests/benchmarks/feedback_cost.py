"""What labels cost the analyzer: CPU from the process's own accounting, time to an answer, bytes a kept row.

    python -m tests.benchmarks.feedback_cost [--seconds 10] [--rate 1000] [--batch 100]

A child process plays the proxy: exchanges of one row with ids. Another one sends a label for each, in batches over
HTTP, to the whole analyzer with a profile that judges them. Nothing else runs in this process.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import sys
import tempfile
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from pilotfish.detectors.detection.monitor import DriftMonitor
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.settings import DriftSettings
from pilotfish.sidecar.analyzer.app import App, build
from pilotfish.sidecar.analyzer.options import Options
from pilotfish.sidecar.channel import SOCKET_FILE
from pilotfish.sidecar.telemetry.process import memory_usage
from tests.benchmarks.played import hand_over
from tests.support.ports import free_port
from tests.support.waiting import eventually

DOCUMENT = """
apiVersion: pilotfish.dev/v1alpha1
kind: ModelMonitor
metadata: {name: m}
spec:
  model: {name: m}
  profiles: [{path: profile.json}]
  drift: {tick: 1s}
"""


def reference() -> bytes:
    """Return a profile of 20 inputs, a class, its score and the truth."""
    random = np.random.default_rng(1)
    columns: dict[str, Any] = {f"feature_{index}": random.normal(size=20_000) for index in range(20)}
    truth = random.choice(["no", "yes"], 20_000)
    wrong = random.random(20_000) < 0.1
    columns["class"] = np.where(wrong, np.where(truth == "no", "yes", "no"), truth).tolist()
    columns["score"] = np.where(wrong, 0.6, 0.9) + random.uniform(-0.05, 0.05, 20_000)
    columns["truth"] = truth.tolist()
    sides: Any = {"class": "prediction", "score": "prediction", "truth": "label"}
    return build_profile(columns, sides=sides, exchangeable=True, model="m").to_bytes()


def monitor(profile: Profile, drift: DriftSettings, state: dict[str, Any] | None) -> DriftMonitor:
    """Return the engine."""
    return DriftMonitor.from_state(profile, drift, state) if state else DriftMonitor(profile, drift)


def play_proxy(path: str, requests: int) -> None:
    """Send `requests` records of one row as fast as they are taken."""
    tensors = [_tensor(f"feature_{index}", 0.1) for index in range(20)]
    response = json.dumps({"outputs": [_tensor("class", "no", "BYTES"), _tensor("score", 0.9)]}).encode()
    numbers = range(1, requests + 1)
    hand_over(path, ((json.dumps({"id": f"request-{n}", "inputs": tensors}).encode(), response) for n in numbers))


def _tensor(name: str, value: object, datatype: str = "FP64") -> dict[str, object]:
    return {"name": name, "shape": [1], "datatype": datatype, "data": [value]}


def send_labels(port: int, batches: int, size: int, pause: float, answers: Connection) -> None:
    """Send batches at an even rate, then the seconds that each took and how many labels were joined."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    took, joined, begun = [], 0, time.monotonic()
    for batch in range(batches):
        time.sleep(max(0.0, begun + batch * pause - time.monotonic()))
        first = batch * size + 1
        items = [{"id": f"request-{number}", "label": "no"} for number in range(first, first + size)]
        body, start = json.dumps({"feedback": items}), time.monotonic()
        connection.request("POST", "/v1/feedback", body, {"Content-Type": "application/json"})
        joined += json.loads(connection.getresponse().read())["joined"]
        took.append(time.monotonic() - start)
    connection.close()
    answers.send((took, joined))


def journal_bytes(folder: Path) -> int:
    """Return how long the journal is."""
    return sum(path.stat().st_size for path in folder.glob("feedback-*.log"))


def measured(app: App) -> int:
    """Return how many exchanges are published as measured."""
    return sum(count.exchanges for count in app.report.counts if count.fate == "measured")


async def child(target: Any, *arguments: Any) -> Any:
    """Start a process that is not counted here."""
    process = get_context("spawn").Process(target=target, args=arguments)
    await asyncio.to_thread(process.start)
    return process


async def measure(folder: Path, seconds: float, rate: int, size: int) -> str:
    """Measure once and return one line."""
    (folder / "profile.json").write_bytes(reference())
    (folder / "monitor.yaml").write_text(DOCUMENT)
    port, batches = free_port(), round(seconds * rate / size)
    app = build(Options(shared=folder, admin=f"127.0.0.1:{port}", document=folder / "monitor.yaml"), monitor)
    stop = asyncio.Event()
    serving = asyncio.create_task(app.serve(stop))
    before, requests = os.times(), batches * size
    proxy = await child(play_proxy, str(folder / SOCKET_FILE), requests)
    await eventually(lambda: measured(app) == requests or serving.done(), timeout=300, what="all exchanges")
    kept, resident = os.times(), memory_usage()[1]
    receive, answer = get_context("spawn").Pipe(duplex=False)
    client = await child(send_labels, port, batches, size, size / rate, answer)
    took, joined = await asyncio.to_thread(receive.recv)
    after = os.times()
    stop.set()
    await serving
    for process in (proxy, client):
        await asyncio.to_thread(process.join)
    cpu = [(one.user - other.user) + (one.system - other.system) for one, other in ((kept, before), (after, kept))]
    p50, p99 = np.quantile(took, [0.5, 0.99]) * 1000
    journal = await asyncio.to_thread(journal_bytes, folder)
    return (
        f"{requests} exchanges: {cpu[0] / requests * 1e6:.1f} us CPU each; "
        f"{joined} of {requests} labels joined, {rate}/s in batches of {size}: {cpu[1] / requests * 1e6:.1f} us CPU "
        f"each ({cpu[1] / seconds:.1%} of a core), answered in {p50:.1f} ms (p99 {p99:.1f}); "
        f"journal {journal / requests:.0f} bytes a row, resident {resident / 2**20:.0f} MB"
    )


def main() -> int:
    """Measure once and print one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rate", type=int, default=1000, help="labels a second")
    parser.add_argument("--batch", type=int, default=100)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        print(asyncio.run(measure(Path(name), given.seconds, given.rate, given.batch)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
