"""A pod without processes: a pipeline with its checkpoint, and the snapshots that it may send."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pilotfish.detectors.profile.profile import Profile
from pilotfish.sidecar.analyzer.checkpoint import parse, render
from pilotfish.sidecar.analyzer.engine import effect_sizes_only
from pilotfish.sidecar.analyzer.exchange_ledger import ExchangeLedger
from pilotfish.sidecar.analyzer.pipeline import Pipeline
from pilotfish.sidecar.analyzer.snapshot import Publisher, Snapshot
from pilotfish.sidecar.analyzer.sync.options import SyncOptions
from pilotfish.sidecar.analyzer.sync.unacknowledged import UnacknowledgedTicks
from pilotfish.sidecar.report.schema import CheckpointStatus
from pilotfish.sidecar.sync.messages import Pod
from tests.analyzer.made import SECOND, T0, TICK, record, setup

OPTIONS = SyncOptions(
    url="https://127.0.0.1:1",
    ca_file=Path("ca.pem"),
    token_file=Path("token"),
    monitor="m",
    pod=Pod(namespace="shop", name="m-0", uid="uid-0"),
)


class CountingPod:
    """Counts rows, writes checkpoints, restarts from them; times are in ticks since T0."""

    def __init__(self, profile: Profile | None = None, uid: str = "uid-0") -> None:
        self.uid = uid
        self.lives = 0
        self.now = 0.0
        self.sequence = 0
        self.saved: bytes | None = None
        self.error = ""
        self._publisher = Publisher(0.0)
        self.pipeline = self._pipeline(None)
        if profile is not None:
            self.pipeline.set_profile(profile)
        self.published: Snapshot = self.publish()

    def _pipeline(self, saved: dict[str, Any] | None) -> Pipeline:
        self.lives += 1
        ledger = ExchangeLedger(1)
        ledger.position = self.sequence
        sync = UnacknowledgedTicks(self.uid, f"life{self.lives}")
        return Pipeline(setup(engine_factory=effect_sizes_only), ledger, saved, sync)

    @property
    def now_ns(self) -> int:
        return T0 + round(self.now * TICK * SECOND)

    def send(self, rows: int, ago: float = 0.0) -> None:
        """Count one exchange of `rows` rows that began `ago` ticks ago."""
        self.sequence += 1
        at_ns = self.now_ns - round(ago * TICK * SECOND)
        self.pipeline.handle_record(record(self.sequence, at_ns=at_ns, amounts=[0.5] * rows), self.now_ns)

    def pass_time(self, ticks: float) -> None:
        self.now += ticks
        self.pipeline.advance(self.now_ns)

    def save(self) -> Snapshot:
        """Write a checkpoint, then publish, as the worker does."""
        if not self.error:
            self.saved = render(self.pipeline.state())
        return self.publish()

    def publish(self) -> Snapshot:
        self.published = self._publisher.publish(
            self.pipeline, CheckpointStatus(at=1.0, error=self.error), {}, self.now_ns / SECOND
        )
        return self.published

    def restart(self, profile: Profile | None) -> None:
        """Start again from the last checkpoint, with `profile` as the stored one."""
        self._publisher = Publisher(0.0)
        self.pipeline = self._pipeline(parse(self.saved, "test") if self.saved else None)
        if profile is not None:
            self.pipeline.set_profile(profile, resumed=True)
        self.publish()
