"""Turns a snapshot into the rows of the table. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from .figures import Figures, total
from .history import NEVER, MonitorState, SourceName, SourceState, TopSnapshot

Split = Literal["model", "pod", "route"]
SPLITS: tuple[Split, ...] = ("model", "pod", "route")
Tone = Literal["good", "warning", "bad"]
ALARM = 1.0  # evidence that raises an alarm
_TONES: tuple[Tone, ...] = ("good", "warning", "bad")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table: a version of a model, or a part of it.

    Attributes:
        part: the pod or route; empty for the whole model.
        answering: sidecars that answered in the newest round, of `asked`.
        expected: running pods of the monitor, `heard` of which the controller has counts lately; None without one.
        desired: replicas that Pilotfish wants; None without `spec.scaling`.
        sized: running pods with the recommended requests; None without `spec.resources`.
        requests_per_second: and all other figures: None if not known.
        tokens_per_second: of prompt and completion, in the responses that were read.
        cpu_cores, gpus: seconds of CPU and GPU that requests used in each second.
        drift: the largest evidence ratio; 1 raises an alarm.
        silent_seconds: since the last answer of the sidecar that has been silent longest; None if all answer.
            -1 if it has never answered.
        reason: why the state is not good.
    """

    namespace: str = ""
    model: str
    version: str = ""
    part: str = ""
    answering: int = 0
    asked: int = 0
    heard: int | None = None
    expected: int | None = None
    desired: int | None = None
    sized: int | None = None
    requests_per_second: float | None = None
    p95_seconds: float | None = None
    error_ratio: float | None = None
    cpu_cores: float | None = None
    gpus: float | None = None
    cpu_seconds_per_request: float | None = None
    gpu_seconds_per_request: float | None = None
    cost_per_1000: float | None = None
    tokens_per_second: float | None = None
    cost_per_million_tokens: float | None = None
    drift: float | None = None
    episodes: int | None = None
    state: str = ""
    tone: Tone = "good"
    reason: str = ""
    silent_seconds: float | None = None


Sources = Mapping[SourceName, SourceState]
Key = tuple[str, str, str]  # namespace, monitor or model, version


def rows(snapshot: TopSnapshot, split: Split = "model") -> list[Row]:
    """Return the rows: of each version of each model, or of its pods or routes."""
    return [row for key, sources in _groups(snapshot).items() for row in _SPLIT[split](snapshot, key, sources)]


def _groups(snapshot: TopSnapshot) -> dict[Key, dict[SourceName, SourceState]]:
    """Return the sidecars by model; each monitor has a group, also without a sidecar."""
    found: dict[Key, dict[SourceName, SourceState]] = defaultdict(dict)
    for name, state in snapshot.sources.items():
        metrics = state.metrics
        model = (metrics.monitor or metrics.model or "(any model)") if metrics else name.name
        found[name.namespace, model, metrics.version if metrics else ""][name] = state
    seen = {key[:2] for key in found}
    for (namespace, monitor), status in (snapshot.monitors or {}).items():
        if (namespace, monitor) not in seen:
            found[namespace, monitor, status.version] = {}
    return found


def _of_model(snapshot: TopSnapshot, key: Key, sources: Sources) -> Iterator[Row]:
    figures = total(part for state in sources.values() for part in (state.figures or {}).values())
    if any(_starting(state) for state in sources.values()):
        figures = None  # the sum would lack this sidecar
    yield _row(snapshot, key, sources, figures)


def _starting(state: SourceState) -> bool:
    """Return whether a sidecar works and has no rates yet."""
    return state.age is None and state.figures is None and state.metrics is not None and state.metrics.up


def _of_pods(snapshot: TopSnapshot, key: Key, sources: Sources) -> Iterator[Row]:
    for name, state in sources.items():
        figures = total(state.figures.values()) if state.figures is not None else None
        row = _row(snapshot, key, {name: state}, figures, name.name)
        of_all = dict.fromkeys(("heard", "expected", "desired", "sized"))
        yield msgspec.structs.replace(row, **of_all)
    if not sources:
        yield _row(snapshot, key, sources, None)


def _of_routes(snapshot: TopSnapshot, key: Key, sources: Sources) -> Iterator[Row]:
    by_route: dict[str, list[Figures]] = defaultdict(list)
    for state in sources.values():
        for route, figures in (state.figures or {}).items():
            by_route[route].append(figures)
    for route, parts in by_route.items():
        yield _row(snapshot, key, sources, total(parts), route or "(other)")
    if not by_route:
        yield _row(snapshot, key, sources, None)


_SPLIT: Mapping[Split, Callable[[TopSnapshot, Key, Sources], Iterator[Row]]] = {
    "model": _of_model,
    "pod": _of_pods,
    "route": _of_routes,
}


def _row(snapshot: TopSnapshot, key: Key, sources: Sources, figures: Figures | None, part: str = "") -> Row:
    namespace, model, version = key
    monitor = (snapshot.monitors or {}).get((namespace, model))
    if monitor is not None and snapshot.control_age is not None:  # nobody keeps its status up to date
        age = age_text(snapshot.control_age)
        monitor = MonitorState(state=f"controller: no answer {age}", tone="bad", version=monitor.version)
    ages = [state.age for state in sources.values() if state.age is not None]
    drift, episodes = _drift(snapshot, key, sources)
    state, tone, reason = _worst(_states(monitor, sources, snapshot.age, episodes or 0))
    used = figures or Figures()
    return Row(
        namespace=namespace,
        model=model,
        version=version,
        part=part,
        answering=len(sources) - len(ages),
        asked=len(sources),
        heard=monitor.heard if monitor else None,
        expected=monitor.expected if monitor else None,
        desired=monitor.desired if monitor else None,
        sized=monitor.sized if monitor else None,
        requests_per_second=figures.requests if figures else None,
        p95_seconds=used.p95,
        error_ratio=used.error_ratio,
        cpu_cores=used.uses.get("cpu"),
        gpus=used.uses.get("gpu"),
        cpu_seconds_per_request=used.per_request("cpu"),
        gpu_seconds_per_request=used.per_request("gpu"),
        cost_per_1000=used.cost_per_1000,
        tokens_per_second=used.uses.get("tokens"),
        cost_per_million_tokens=used.cost_per_million_tokens,
        drift=drift,
        episodes=episodes,
        state=state,
        tone=tone,
        reason=reason,
        silent_seconds=_longest(ages if sources else [snapshot.age] if snapshot.age is not None else []),
    )


def _drift(snapshot: TopSnapshot, key: Key, sources: Sources) -> tuple[float | None, int | None]:
    """Return evidence and open episodes: those of the controller, else those of the sidecars that answer."""
    fleet = (snapshot.drift or {}).get(key)
    if fleet is not None:
        return fleet.evidence, fleet.episodes
    if snapshot.monitors is not None and key[:2] in snapshot.monitors:
        return None, None
    found = [state.metrics for state in sources.values() if state.metrics is not None and state.age is None]
    evidence = [metrics.evidence for metrics in found if metrics.evidence is not None]
    return max(evidence, default=None), (max(metrics.episodes for metrics in found) if found else None)


def _states(
    monitor: MonitorState | None, sources: Sources, unlisted: float | None, episodes: int
) -> Iterator[tuple[str, Tone, str]]:
    """Yield what holds of a row, in the order of importance: word, tone and reason."""
    if unlisted is not None:
        yield f"no answer {age_text(unlisted)}", "bad", "the API server does not answer"
    silent = [state for state in sources.values() if state.age is not None]
    if silent:
        age = age_text(_longest([state.age for state in silent]))
        if len(silent) == len(sources):
            yield f"no answer {age}", "bad", silent[0].problem
        else:
            yield f"{len(silent)} of {len(sources)} no answer {age}", "warning", silent[0].problem
    answering = [state for state in sources.values() if state.age is None and state.metrics is not None]
    if any(not state.metrics.up for state in answering if state.metrics):
        yield "proxy silent", "bad", "the proxy's heartbeat is old, so its counters are not shown"
    if episodes:
        yield "drift", "warning", "a drift episode is open"
    if monitor is not None and monitor.state:
        yield monitor.state, _TONES[_TONES.index(monitor.tone)] if monitor.tone in _TONES else "bad", monitor.reason
    blind = sorted({reason for state in answering if state.metrics for reason in state.metrics.blind})
    if blind and blind != ["idle"]:
        yield "blind", "warning", ", ".join(blind)
    for state in answering:
        if state.state:
            yield state.state, "good", state.problem


def _worst(found: Iterable[tuple[str, Tone, str]]) -> tuple[str, Tone, str]:
    """Return the first of the worst tone."""
    states = list(found)
    return max(states, key=lambda state: _TONES.index(state[1])) if states else ("", "good", "")


def _longest(ages: Sequence[float | None]) -> float | None:
    """Return the longest silence; NEVER if one has never answered."""
    known = [age for age in ages if age is not None]
    if not known:
        return None
    return NEVER if NEVER in known else max(known)


def age_text(seconds: float | None) -> str:
    """Return a length of time in one or two units: `12 s`, `3 min`, `2 h`; `yet` for NEVER."""
    if seconds is None:
        return ""
    if seconds == NEVER:
        return "yet"
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
