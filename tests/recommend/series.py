"""A real Prometheus with recorded series of cAdvisor and kube-state-metrics."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.dashboards.prometheus import Prometheus
from tests.support.ports import free_port
from tests.support.processes import Children
from tests.support.programs import find
from tests.support.waiting import patient, wait_until


def series(
    metric: str, name: str, container: str, value: float, at: int, namespace: str = "shop", **labels: str
) -> str:
    """Return one sample of a container of the pod `name` in OpenMetrics; `at` is in Unix seconds."""
    found = {"namespace": namespace, "pod": name, "container": container, "id": f"/{name}/{container}", **labels}
    text = ",".join(f'{label}="{word}"' for label, word in found.items())
    return f"{metric}{{{text}}} {value:.12g} {at}"


@contextmanager
def recorded(folder: Path, samples: Iterable[str], end: int) -> Iterator[Prometheus]:
    """Run a Prometheus that has `samples`, lines of OpenMetrics up to the time `end`."""
    (folder / "samples.txt").write_text("\n".join(samples) + "\n")
    blocks = ("tsdb", "create-blocks-from", "openmetrics", str(folder / "samples.txt"), str(folder / "tsdb"))
    subprocess.run([find("promtool") or "", *blocks], check=True, capture_output=True, timeout=patient(60))
    (folder / "prometheus.yml").write_text("{}\n")
    address = f"127.0.0.1:{free_port()}"
    children = Children(folder)
    try:
        children(
            find("prometheus") or "", f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address={address}", "--log.level=warn",
        )  # fmt: skip
        found = Prometheus(f"http://{address}", float(end))
        wait_until(found.ready, timeout=60, what="Prometheus")
        yield found
    finally:
        children.end()
