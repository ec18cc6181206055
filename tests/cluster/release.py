"""The chart, installed on the node by Helm."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.cluster import ControlPlane
from tests.support.node.images import PILOTFISH, REDIRECT, ROOT
from tests.support.waiting import patient, wait_until

SYSTEM = "pilotfish-system"
SAID = Path("build/helm")  # by .ci/helm
VALUES = [
    f"image.repository={PILOTFISH.name.rpartition(':')[0]}",
    "image.tag=test",
    f"redirectImage.repository={REDIRECT.name.rpartition(':')[0]}",
    "redirectImage.tag=test",
    "control.resources.requests.memory=64Mi",
    "injector.resources.requests.cpu=50m",
]


@dataclass(frozen=True)
class Release:
    """The release of the chart on a node; call it to run Helm."""

    plane: ControlPlane

    def __call__(self, *arguments: str | Path) -> str:
        """Run Helm in the namespace of the release; raise AssertionError with its errors if it fails."""
        done = subprocess.run(
            [f"{SAID.read_text().strip()}/helm4", "--kubeconfig", self.plane.kubeconfig, "-n", SYSTEM, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=patient(300),
        )
        assert done.returncode == 0, f"helm {' '.join(map(str, arguments))}: {done.stderr.strip()}"
        return done.stdout

    def install(self, *values: str) -> None:
        """Install or upgrade the chart, and wait until its pods are ready and those of before are gone."""
        sets = [f"--set={value}" for value in (*VALUES, *values)]
        self("upgrade", "--install", "pilotfish", ROOT / "helm", "--create-namespace", "--wait", *sets)
        self.settle()

    def roll_back(self) -> None:
        """Go back to the revision of before, and wait as `install` does."""
        self("rollback", "pilotfish", "--wait")
        self.settle()

    def settle(self) -> None:
        """Wait until no pod of the release is ending: until then, it serves reviews with what it started with."""
        ended = ("get", "pods", "--namespace", SYSTEM, "--output", "jsonpath={.items[*].metadata.deletionTimestamp}")
        wait_until(lambda: not self.plane.kubectl(*ended), timeout=60, what="the old pods of the release to end")
