"""Component with River's detectors on scalar streams: one number per closed tick, shown and counted only.

River's detectors do not account for the false-alarm budget, for many features or for serial correlation. Their changes
therefore must not open an episode, raise an alarm or use the budget. Each number is computed from the rows of its tick
alone. The report's effect sizes cover overlapping windows, whose serial correlation would look like drift.

The state of a detector is its last MAX_REPLAYED_VALUES numbers, which are replayed after a restart. River's own
serialisation is pickle, which can run arbitrary code. Older numbers are lost at a restart.
"""

from __future__ import annotations

import importlib
import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from ...detectors.comparisons.effects import EffectSizeEstimator, EffectSizes
from ...detectors.performance.estimate import estimate
from ...detectors.performance.realized import realized
from ...detectors.profile.profile import Profile
from ...detectors.summaries.counts import Counts
from ..report import schema as report
from ..settings.document import StreamDetector
from ..settings.streams import Stream, parse_stream
from .component import Component
from .counters import STREAM_CHANGES, CounterKey, Counters

MAX_REPLAYED_VALUES = 1000


class Detector(Protocol):
    """The part of River's detectors that is used here."""

    drift_detected: bool

    def update(self, x: float) -> object:
        """Add the next number."""


DetectorFactory = Callable[[], Detector]
ClosedCounts = Callable[[int], tuple[Profile, Counts] | None]


@dataclass(frozen=True)
class ConfiguredDetector:
    """One detector of the document. `make` creates it; None when that is impossible, and `problem` has the reason."""

    type: str
    stream: str
    make: DetectorFactory | None = None
    problem: str = ""

    @property
    def key(self) -> str:
        """The detector's name in the checkpoint."""
        return f"{self.type} {self.stream}"

    @property
    def changes_key(self) -> CounterKey:
        """The key of the counter of the detector's changes."""
        return STREAM_CHANGES.key(self.key)


def configure_detectors(wanted: Iterable[StreamDetector]) -> tuple[ConfiguredDetector, ...]:
    """Return the detectors of the document; import River only if there are any."""
    return tuple(_configure(item) for item in wanted)


def _configure(item: StreamDetector) -> ConfiguredDetector:
    try:
        drift = importlib.import_module("river.drift")
    except ImportError as error:
        problem = f"cannot import River: {error}; install it with pip install 'pilotfish[river]'"
        return ConfiguredDetector(item.type, item.stream, None, problem)
    detector_class: Callable[..., Detector] = getattr(drift, item.type.removeprefix("river."))
    parameters = dict(item.parameters)
    if item.type == "river.KSWIN":
        parameters.setdefault("seed", 0)  # without a seed, a restart would give other results

    def make() -> Detector:
        return detector_class(**parameters)

    try:
        make()
    except Exception as error:  # third-party code with parameters from the document
        return ConfiguredDetector(
            item.type, item.stream, None, f"cannot create it: {type(error).__name__}: {error}"[:300]
        )
    return ConfiguredDetector(item.type, item.stream, make)


@dataclass
class _RunningDetector:
    detector: Detector | None
    values: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_REPLAYED_VALUES))
    last_change: int | None = None
    problem: str = ""

    def take(self, value: float) -> bool:
        """Add one number; return whether the detector reports a change."""
        if self.detector is None:
            return False
        self.values.append(value)
        try:
            self.detector.update(value)
        except Exception as error:  # third-party code must not stop the worker
            self.detector, self.problem = None, f"it failed and is disabled: {type(error).__name__}"
            return False
        return bool(self.detector.drift_detected)


class StreamDetectors(Component):
    """The configured detectors on the streams of the profile in force.

    `closed_counts` returns the profile and the counts of the tick that has just closed, None when it had no rows.
    """

    by_tick: ClassVar[bool] = True

    def __init__(
        self,
        wanted: tuple[ConfiguredDetector, ...],
        counters: Counters,
        tick_seconds: float,
        closed_counts: ClosedCounts,
    ) -> None:
        self._wanted = wanted
        self._counters = counters
        self._tick_seconds = tick_seconds
        self._closed_counts = closed_counts
        self._running = {item.key: _start(item) for item in wanted}
        for item in wanted:
            counters.adopt(item.changes_key)

    def on_profile(self, profile: Profile, *, restored: bool) -> None:
        """Recreate the detectors, because a stream's numbers change with the profile."""
        if not restored:
            self._running = {item.key: _start(item) for item in self._wanted}

    def on_tick(self, tick: int, now: float) -> None:
        """Add the value of the closed `tick` to each detector, and count the changes that they report."""
        closed = self._closed_counts(tick) if self._wanted else None
        if closed is None:
            return
        for item in self._wanted:
            value = _stream_value(parse_stream(item.stream), tick, *closed, self._tick_seconds)
            running = self._running[item.key]
            if value is not None and math.isfinite(value) and running.take(value):
                running.last_change = tick
                self._counters.add(item.changes_key)

    def listing(self) -> tuple[report.StreamDetectorStatus, ...]:
        """Return the state of each detector."""
        return tuple(
            report.StreamDetectorStatus(
                type=item.type,
                stream=item.stream,
                value=running.values[-1] if running.values else None,
                values=len(running.values),
                changes=self._counters.get(item.changes_key),
                last_change_tick=running.last_change,
                problem=item.problem or running.problem,
            )
            for item in self._wanted
            for running in (self._running[item.key],)
        )

    def state(self) -> dict[str, Any]:
        """Return plain values for the checkpoint."""
        return {key: [list(running.values), running.last_change] for key, running in self._running.items()}

    def resume(self, saved: Mapping[str, Any]) -> None:
        """Replay the numbers in `saved`; ignore detectors that are no longer configured."""
        for key, (values, last_change) in saved.items():
            running = self._running.get(key)
            if running is not None:
                for value in values[-MAX_REPLAYED_VALUES:]:
                    running.take(float(value))
                running.last_change = last_change


def _start(item: ConfiguredDetector) -> _RunningDetector:
    return _RunningDetector(item.make() if item.make else None)


def _stream_value(stream: Stream, tick: int, profile: Profile, counts: Counts, tick_seconds: float) -> float | None:
    if not stream.feature:
        loss = estimate(profile, counts) if stream.measure == "estimated" else realized(profile, counts)
        return None if loss is None else loss.value
    if stream.feature not in profile.index:
        return None
    feature = profile.feature(stream.feature)
    position = profile.index[stream.feature]
    excess, mismatches = counts.excess[position], int(counts.mismatches[position])
    estimator = EffectSizeEstimator.of(feature, tick_seconds)
    sizes = estimator.measure(counts.of(profile, stream.feature), excess, mismatches, tick, tick)
    return _effect_value(sizes, stream.measure)


def _effect_value(effects: EffectSizes | None, measure: str) -> float | None:
    found = None if effects is None else getattr(effects, measure)
    if found is None or isinstance(found, float):
        return found
    value: float = found.value
    return value
