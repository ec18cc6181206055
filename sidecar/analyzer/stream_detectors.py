"""River's detectors on scalar streams, one number a closed tick: shown, counted, and never more than that.

They know nothing of the false-alarm budget, of looks at many features, or of serial correlation, so what they say opens
no episode, pages nobody and costs no budget. Each number is of the rows of its tick alone: the report's own effect
sizes are of overlapping stretches, which every such detector would take for drift.

A detector's state is its last `MAX_REPLAYED_VALUES` numbers, kept in the checkpoint and fed again after a
restart. River offers only pickle, which may run any code. Older values are lost at a restart.
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
    """What is used of River's."""

    drift_detected: bool

    def update(self, x: float) -> object:
        """Take the next number."""


DetectorFactory = Callable[[], Detector]
ClosedCounts = Callable[[int], tuple[Profile, Counts] | None]


@dataclass(frozen=True)
class ConfiguredDetector:
    """One configured detector, and how to make it anew; `make` is None where it cannot be had, for `problem`."""

    type: str
    stream: str
    make: DetectorFactory | None = None
    problem: str = ""

    @property
    def key(self) -> str:
        """Its name in the checkpoint."""
        return f"{self.type} {self.stream}"

    @property
    def changes_key(self) -> CounterKey:
        """The counter of its changes."""
        return STREAM_CHANGES.key(self.key)


def configure_detectors(wanted: Iterable[StreamDetector]) -> tuple[ConfiguredDetector, ...]:
    """Return the detectors of the document; River is loaded only if there are any."""
    return tuple(_configure(item) for item in wanted)


def _configure(item: StreamDetector) -> ConfiguredDetector:
    try:
        drift = importlib.import_module("river.drift")
    except ImportError as error:
        problem = f"River is not installed here ({error}); pip install 'pilotfish[river]'"
        return ConfiguredDetector(item.type, item.stream, None, problem)
    detector_class: Callable[..., Detector] = getattr(drift, item.type.removeprefix("river."))
    parameters = dict(item.parameters)
    if item.type == "river.KSWIN":
        parameters.setdefault("seed", 0)  # or it would draw from whatever state the process has

    def make() -> Detector:
        return detector_class(**parameters)

    try:
        make()
    except Exception as error:  # foreign code with a person's parameters
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
        """Feed one number; return whether it is called a change."""
        if self.detector is None:
            return False
        self.values.append(value)
        try:
            self.detector.update(value)
        except Exception as error:  # foreign code: it may do what it wants, but not to the worker
            self.detector, self.problem = None, f"it failed and is not fed any more: {type(error).__name__}"
            return False
        return bool(self.detector.drift_detected)


class StreamDetectors(Component):
    """All detectors on the streams of one profile.

    `closed_counts` returns the profile and the counts of a tick that has just closed, None when it had no rows.
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
        """Start again: under another profile, the same name is another stream."""
        if not restored:
            self._running = {item.key: _start(item) for item in self._wanted}

    def on_tick(self, tick: int, now: float) -> None:
        """Feed each detector the value of the closed `tick`, and count those that report a change."""
        closed = self._closed_counts(tick) if self._wanted else None
        if closed is None:
            return
        for item in self._wanted:
            value = _value(parse_stream(item.stream), tick, *closed, self._tick_seconds)
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
        """Feed again what `saved` kept; what is not configured any more is left behind."""
        for key, (values, last_change) in saved.items():
            running = self._running.get(key)
            if running is not None:
                for value in values[-MAX_REPLAYED_VALUES:]:
                    running.take(float(value))
                running.last_change = last_change


def _start(item: ConfiguredDetector) -> _RunningDetector:
    return _RunningDetector(item.make() if item.make else None)


def _value(stream: Stream, tick: int, profile: Profile, counts: Counts, tick_seconds: float) -> float | None:
    if not stream.feature:
        loss = estimate(profile, counts) if stream.measure == "estimated" else realized(profile, counts)
        return None if loss is None else loss.value
    if stream.feature not in profile.index:
        return None
    feature = profile.feature(stream.feature)
    mismatches = int(counts.mismatches[profile.index[stream.feature]])
    estimator = EffectSizeEstimator.of(feature, tick_seconds)
    return _measured(estimator.measure(counts.of(profile, stream.feature), mismatches, tick, tick), stream.measure)


def _measured(effects: EffectSizes | None, measure: str) -> float | None:
    found = None if effects is None else getattr(effects, measure)
    if found is None or isinstance(found, float):
        return found
    value: float = found.value
    return value
