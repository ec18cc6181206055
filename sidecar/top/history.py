"""Keeps the answers of the last seconds, and turns them into figures: what the table may say at one moment. Pure.

A source that has not answered in the newest round has no figures, so the table never shows old numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .exposition import MonitorDrift, RouteCounts, SidecarMetrics
from .figures import Figures, rates

WINDOW = 10.0  # seconds that the rates cover, at least one round


@dataclass(frozen=True, slots=True, order=True)
class SourceName:
    """One sidecar: its address, or its namespace and pod."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a sidecar answered in one round.

    Attributes:
        metrics: None if it did not answer.
        problem: why not; with metrics, what else prevents it from working, from its report.
        state: of the analyzer, such as `watching`; empty where only the metrics were read.
    """

    metrics: SidecarMetrics | None
    problem: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class MonitorState:
    """A ModelMonitor: what its status says.

    Attributes:
        desired: replicas that Pilotfish wants; None without `spec.scaling`.
        sized: running pods with the recommended requests; None without `spec.resources`.
        state: one word, and `tone` how bad it is: good, warning or bad.
        reason: why, from the conditions.
    """

    heard: int | None = None
    expected: int | None = None
    desired: int | None = None
    sized: int | None = None
    state: str = ""
    tone: str = "good"
    reason: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Poll:
    """The answers of all sources in one round.

    Attributes:
        at: monotonic seconds.
        sources: the sidecars that were asked.
        monitors: by namespace and name; None if there is no cluster, or if the API server did not answer.
        drift: what the controller exports, by namespace, monitor and version; None if it could not be read.
        orphaned: whether the controller does not answer, so that the status of the monitors may be old.
        problems: what could not be read at all, in sentences.
        failed: why the list of sources itself could not be read; empty otherwise.
    """

    at: float
    sources: Mapping[SourceName, Answer] = field(default_factory=dict)
    monitors: Mapping[tuple[str, str], MonitorState] | None = None
    drift: Mapping[tuple[str, str, str], MonitorDrift] | None = None
    orphaned: bool = False
    problems: tuple[str, ...] = ()
    failed: str = ""


@dataclass(frozen=True, slots=True)
class SourceState:
    """What is known of one sidecar now.

    Attributes:
        metrics: the newest ones, for names and states; of an earlier round if `age` is not None.
        figures: by route; None before the second answer, after a restart, and while the sidecar is silent.
        age: seconds since the last answer; None if it answered in the newest round. -1 if it never answered.
    """

    metrics: SidecarMetrics | None
    figures: Mapping[str, Figures] | None = None
    age: float | None = None
    problem: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class TopSnapshot:
    """Everything that the table shows of one moment.

    Attributes:
        age: seconds since sources and monitors could be listed; None if they were in the newest round.
        polled: whether there was a round at all.
        control_age: seconds since the controller answered; None if it did in the newest round, and without one.
    """

    sources: Mapping[SourceName, SourceState] = field(default_factory=dict)
    monitors: Mapping[tuple[str, str], MonitorState] | None = None
    drift: Mapping[tuple[str, str, str], MonitorDrift] | None = None
    problems: tuple[str, ...] = ()
    age: float | None = None
    control_age: float | None = None
    polled: bool = True


NEVER = -1.0


@dataclass(frozen=True, slots=True)
class _Past:
    """Metrics of one sidecar with the time of each: those of consecutive rounds, oldest first, and the newest ever."""

    answers: tuple[tuple[float, SidecarMetrics], ...] = ()
    newest: tuple[float, SidecarMetrics] | None = None


@dataclass(frozen=True, slots=True)
class PollHistory:
    """The newest poll, and the answers of each sidecar within WINDOW."""

    poll: Poll | None = None
    past: Mapping[SourceName, _Past] = field(default_factory=dict)
    listed: Poll | None = None  # the newest poll that has a list of sources
    controlled_at: float | None = None  # of the newest poll with an answer of the controller

    def after(self, poll: Poll) -> PollHistory:
        """Return the history with one more round."""
        if poll.failed:  # which sources there are is not known: each of the earlier ones is silent
            return replace(self, poll=poll)
        past = {name: _extended(self.past.get(name, _Past()), poll.at, poll.sources[name]) for name in poll.sources}
        return PollHistory(poll, past, poll, self.controlled_at if poll.drift is None else poll.at)

    def snapshot(self, now: float) -> TopSnapshot:
        """Return what may be shown at `now`, monotonic seconds."""
        if self.poll is None:
            return TopSnapshot(polled=False)
        listed = self.listed
        if listed is None or self.poll.failed:
            silent = {name: _silent(past, now, "") for name, past in self.past.items()}
            monitors = {key: MonitorState() for key in (listed.monitors or {})} if listed else None
            age = now - listed.at if listed else NEVER
            return TopSnapshot(silent, monitors, None, (self.poll.failed, *self.poll.problems), age)
        states = {name: _state(self.past[name], answer, now) for name, answer in listed.sources.items()}
        orphaned = NEVER if self.controlled_at is None else now - self.controlled_at
        return TopSnapshot(
            states, listed.monitors, listed.drift, listed.problems, None, orphaned if listed.orphaned else None
        )


def _extended(past: _Past, at: float, answer: Answer) -> _Past:
    """Return the past with an answer. Rates never reach over a gap, a restart of the proxy, or more than WINDOW."""
    metrics = answer.metrics
    if metrics is None:
        return _Past((), past.newest)
    kept = tuple(pair for pair in past.answers if pair[1].started == metrics.started)
    kept = tuple(pair for pair in kept if at - pair[0] <= WINDOW) or kept[-1:]
    return _Past((*kept, (at, metrics)), (at, metrics))


def _state(past: _Past, answer: Answer, now: float) -> SourceState:
    if answer.metrics is None:
        return _silent(past, now, answer.problem)
    return SourceState(answer.metrics, _figures(past), None, answer.problem, answer.state)


def _silent(past: _Past, now: float, problem: str) -> SourceState:
    if past.newest is None:
        return SourceState(None, None, NEVER, problem)
    at, metrics = past.newest
    return SourceState(metrics, None, max(0.0, now - at), problem)


def _figures(past: _Past) -> dict[str, Figures] | None:
    if len(past.answers) < 2:
        return None
    (begin, before), (end, now) = past.answers[0], past.answers[-1]
    if not now.up:  # the counters stand still
        return None
    found: dict[str, Figures] = {}
    for route, counts in now.routes.items():
        new = RouteCounts(uses=dict.fromkeys(counts.uses, 0.0))
        figures = rates(before.routes.get(route, new), counts, end - begin)
        if figures is None:
            return None
        found[route] = figures
    return found
