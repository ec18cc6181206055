"""Draws docs/recommend.png: eight synthetic days of a model whose requests are too large.

`python -m tests.recommend.picture OUT` writes it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pilotfish.sidecar.control.resize.usage import ContainerUsage
from pilotfish.sidecar.recommend.compute import ContainerHistory
from pilotfish.sidecar.recommend.fitting import NamespaceRules, advise
from pilotfish.sidecar.recommend.picture import render
from tests.recommend.made import workload

START, DAYS, STEP, DAY = 1767571200.0, 8, 60.0, 86_400.0


def batches() -> Iterator[list[ContainerUsage]]:
    """Yield the use of three pods: a load with a period of a day, bursts, and memory that batches raise."""
    draws = np.random.default_rng(7)
    for minute in range(int(DAYS * DAY / STEP)):
        at = START + minute * STEP
        load = 0.25 + 0.55 * max(0.0, float(np.sin(2 * np.pi * (at % DAY) / DAY - 1.6))) ** 1.5
        yield [
            ContainerUsage(
                pod_uid=f"pod-{number}",
                container="model",
                cpu_cores=load * float(draws.lognormal(0, 0.12)) + (0.5 if draws.random() < 0.004 else 0.0),
                memory_bytes=int(2**30 * (0.9 + 0.25 * load + 0.02 * draws.random() + 0.25 * (draws.random() < 0.002))),
                at=at,
            )
            for number in range(3)
        ]


def drawn() -> bytes:
    """Return the picture."""
    found = workload(model={"requests": {"cpu": "2", "memory": "3Gi"}, "limits": {"memory": "3Gi"}})
    model = found.containers()[0]
    history = ContainerHistory(found, model)
    for usages in batches():
        history.add(usages)
    advice = advise(found, model, history.recommended("prometheus"), NamespaceRules())
    return render([advice], {(found.title, "model"): history.use})


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(drawn())
