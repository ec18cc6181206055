"""River's detectors on streams: one value per tick, shown, counted and resumed; they raise no alarm."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pilotfish.sidecar.analyzer.exchange_ledger import ExchangeLedger
from pilotfish.sidecar.analyzer.pipeline import Pipeline
from pilotfish.sidecar.analyzer.snapshot import Publisher
from pilotfish.sidecar.analyzer.stream_detectors import configure_detectors
from pilotfish.sidecar.report.schema import CheckpointStatus, Report
from pilotfish.sidecar.settings.document import StreamDetector
from pilotfish.sidecar.settings.errors import SettingsError
from pilotfish.sidecar.settings.load import parse
from pilotfish.sidecar.settings.streams import Stream, parse_stream
from tests.analyzer.made import SECOND, T0, drifting, profile, setup
from tests.support.extras import extras_python
from tests.support.waiting import patient

STREAM = StreamDetector(type="river.PageHinkley", stream="feature.amount.psi", parameters={"threshold": 1})
DOCUMENT = """
apiVersion: pilotfish.dev/v1alpha1
kind: ModelMonitor
metadata: {name: m}
spec: {drift: {detectors: [%s]}}
"""


class Jump:
    """Reports a change when a number exceeds all previous ones by more than `threshold`."""

    def __init__(self, threshold: float = 1.0) -> None:
        self.drift_detected = False
        self._threshold = threshold
        self._largest: float | None = None

    def update(self, x: float) -> None:
        self.drift_detected = self._largest is not None and x > self._largest + self._threshold
        self._largest = max(x, self._largest or x)


@pytest.fixture
def river(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module: Any = ModuleType("river.drift")
    module.PageHinkley = Jump
    monkeypatch.setitem(sys.modules, "river", ModuleType("river"))
    monkeypatch.setitem(sys.modules, "river.drift", module)
    found: ModuleType = module
    return found


def made(saved: dict[str, Any] | None = None) -> Pipeline:
    pipeline = Pipeline(setup(streams=configure_detectors([STREAM])), ExchangeLedger(1), saved)
    pipeline.set_profile(profile(), resumed=True)
    return pipeline


def ticks(pipeline: Pipeline, first: int, count: int, shift: float) -> None:
    for tick in range(first, first + count):
        at = T0 + tick * 10 * SECOND
        for arrived in drifting(10 * tick + 1, 10, at, shift):
            pipeline.handle_record(arrived, at)
        pipeline.advance(at + 15 * SECOND)


def report(pipeline: Pipeline) -> Report:
    return Publisher(0.0).publish(pipeline, CheckpointStatus(), {}, 1.0).report


def test_a_change_is_shown_and_counted_and_opens_no_episode(river: ModuleType) -> None:
    pipeline = made()
    ticks(pipeline, 0, 5, 0.0)
    assert [(item.values, item.changes) for item in report(pipeline).streams] == [(5, 0)]
    before = report(pipeline).budget
    ticks(pipeline, 5, 1, 4.0)
    (item,) = report(pipeline).streams
    assert (item.changes, item.last_change_tick, item.budget) == (1, (T0 // SECOND + 50) // 10, "none")
    assert item.value is not None
    assert item.value > 1
    assert before is not None


def test_a_restart_replays_the_stored_numbers_and_counts_no_change_twice(river: ModuleType) -> None:
    pipeline = made()
    ticks(pipeline, 0, 3, 0.0)
    ticks(pipeline, 3, 1, 4.0)
    again = made(pipeline.state())
    assert report(again).streams == report(pipeline).streams
    again.set_profile(profile(1))
    assert [(item.values, item.changes) for item in report(again).streams] == [(0, 1)]


def test_a_failing_detector_is_disabled_and_reported(river: Any) -> None:
    class Broken(Jump):
        def update(self, x: float) -> None:
            raise ValueError(x)

    river.PageHinkley = Broken
    pipeline = made()
    ticks(pipeline, 0, 2, 0.0)
    (item,) = report(pipeline).streams
    assert "ValueError" in item.problem
    assert any("river.PageHinkley on feature.amount.psi" in text for text in report(pipeline).warnings)
    assert report(pipeline).state == "watching"


def test_without_river_a_warning_gives_the_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "river.drift", None)
    pipeline = made()
    ticks(pipeline, 0, 2, 0.0)
    (item,) = report(pipeline).streams
    assert (item.values, item.value) == (0, None)
    assert any("pip install 'pilotfish[river]'" in text for text in report(pipeline).warnings)


@pytest.mark.parametrize(
    ("text", "stream"),
    [
        ("feature.a.b.psi", Stream("a.b", "psi")),
        ("prediction.y.ks", Stream("y", "ks")),
        ("performance.realized", Stream("", "realized")),
    ],
)
def test_names_of_features_may_contain_dots(text: str, stream: Stream) -> None:
    assert parse_stream(text) == stream


@pytest.mark.parametrize(
    ("detector", "problem"),
    [
        ("{type: river.Adwin, stream: feature.a.psi}", "did you mean river.ADWIN"),
        ("{type: os.system, stream: feature.a.psi}", "known here: river.ADWIN"),
        ("{type: river.ADWIN, stream: feature.a.mean}", "feature.NAME.MEASURE"),
        ("{type: river.ADWIN, stream: feature.a.psi, parameters: {delta: 2}}", "from 1e-12 to 1"),
        ("{type: river.ADWIN, stream: feature.a.psi, parameters: {clock: true}}", "a whole number"),
        ("{type: river.ADWIN, stream: feature.a.psi, parameters: {size: 2}}", "river.ADWIN takes clock"),
        ("{type: river.PageHinkley, stream: feature.a.psi, parameters: {mode: left}}", "one of up, down, both"),
        ("{type: river.KSWIN, stream: feature.a.psi, parameters: {stat_size: 80}}", "longer window_size"),
        (
            "{type: river.ADWIN, stream: feature.a.ks}, {type: river.ADWIN, stream: feature.a.ks}",
            "same type and stream",
        ),
    ],
)
def test_a_document_with_an_unknown_detector_stream_or_parameter_is_refused(detector: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem.replace("(", r"\(")):
        parse((DOCUMENT % detector).encode(), "monitor.yaml")


@pytest.mark.real
@pytest.mark.parametrize("type_", ["river.ADWIN", "river.KSWIN", "river.PageHinkley"])
def test_rivers_own_detectors_find_a_change_within_some_ticks(type_: str) -> None:
    code = """
import json, sys
from pilotfish.sidecar.analyzer.stream_detectors import configure_detectors
from pilotfish.sidecar.settings.document import StreamDetector
(item,) = configure_detectors([StreamDetector(type=sys.argv[1], stream="feature.a.psi")])
assert item.make and not item.problem, item.problem
detector, found = item.make(), []
for tick in range(400):
    detector.update((0.1 if tick < 200 else 40.0) + tick % 7 * 0.01)
    found += [tick] * detector.drift_detected
print(json.dumps(found))
"""
    environment = {**os.environ, "PYTHONPATH": str(Path("build/tree").resolve())}
    done = subprocess.run(
        [extras_python(), "-c", code, type_], env=environment, stdout=subprocess.PIPE, check=True, timeout=patient(50)
    )
    found = json.loads(done.stdout)
    assert any(200 <= tick < 300 for tick in found)
    assert not [tick for tick in found if tick < 150]
