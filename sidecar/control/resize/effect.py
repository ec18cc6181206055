"""Whether a container uses what a resize gave it. Pure.

A runtime that reads its limits only at the start stays at the old ones: its use of CPU stays where the old limit held
it, although nothing holds it there any more. That is visible only where there was more work before: where the container
was throttled, or where requests waited.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from statistics import median

from ...podspec.amounts import ContainerResources, Kind
from ...podspec.quantity import format_quantity
from .runtimes import RuntimeHint
from .usage import ContainerUsage

SETTLES = 30.0  # seconds after a resize, which a mean of the use may still contain
LEAST_SAMPLES = 3
TOLERANCE = 0.05
THROTTLED = 0.05  # share of the time, as in the recommender
NEAR_LIMIT = 0.85  # share of a memory limit, above which more memory would have been used
_GENERAL = "a runtime such as the JVM, OpenMP or an automatic GOMAXPROCS reads its {kind} limit only at the start"


class EffectVerdict(StrEnum):
    """What is known of the effect of a resize."""

    EFFECTIVE = "effective"
    PENDING = "pending"  # too few samples yet
    UNKNOWN = "unknown"  # no load that shows it
    WITHOUT_EFFECT = "without_effect"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActuatedResize:
    """A resize of one container that the kubelet has carried out `at`, in epoch seconds.

    `restarted` is whether the container started after it, so that its runtime has read the new limits.
    """

    container: str
    old: ContainerResources
    new: ContainerResources
    at: float
    restarted: bool = False


@dataclass(frozen=True, slots=True)
class Effect:
    """The verdict, about which resource, and why in words; `kind` and `text` are empty where nothing is to be said."""

    verdict: EffectVerdict
    kind: str = ""
    text: str = ""


def effect_of(
    resize: ActuatedResize,
    before: Sequence[ContainerUsage],
    after: Sequence[ContainerUsage],
    *,
    busy: bool | None,
    hints: Sequence[RuntimeHint] = (),
) -> Effect:
    """Return whether a container uses the limits that were raised.

    `before` and `after` are the samples of this container around the resize; later ones than the next resize are not
    among them. `busy` is whether requests waited or were slow after it, None if unknown. `hints` are of its spec.
    """
    if resize.restarted:
        return Effect(EffectVerdict.EFFECTIVE)
    settled = [usage for usage in after if usage.at >= resize.at + SETTLES]
    effects = [
        _cpu(resize, before, settled, busy, [hint for hint in hints if hint.kind == "cpu"]),
        _memory(resize, before, settled, [hint for hint in hints if hint.kind == "memory"]),
    ]
    order = (EffectVerdict.WITHOUT_EFFECT, EffectVerdict.PENDING, EffectVerdict.EFFECTIVE, EffectVerdict.UNKNOWN)
    return min(effects, key=lambda effect: order.index(effect.verdict))


def _cpu(
    resize: ActuatedResize,
    before: Sequence[ContainerUsage],
    after: Sequence[ContainerUsage],
    busy: bool | None,
    hints: Sequence[RuntimeHint],
) -> Effect:
    old, new = _raised(resize, "cpu")
    demanded = busy is True or any(_was_held(usage, old) for usage in before)
    if new < old * (1 + 2 * TOLERANCE) or not demanded:
        return Effect(EffectVerdict.UNKNOWN)
    used = [usage.cpu_cores for usage in after if usage.cpu_cores is not None]
    if len(used) < LEAST_SAMPLES:
        return Effect(EffectVerdict.PENDING)
    if median(usage.throttled_ratio or 0.0 for usage in after) >= THROTTLED:
        return Effect(EffectVerdict.EFFECTIVE)  # it runs more than the new limit allows
    steps = {old, float(ceil(old)), *(hint.cores for hint in hints if hint.cores is not None)}
    level = next((step for step in sorted(steps) if step < new * (1 - TOLERANCE) and _stays(used, step)), None)
    if level is None:
        exceeds = max(used) > old * (1 + TOLERANCE)
        return Effect(EffectVerdict.EFFECTIVE if exceeds else EffectVerdict.UNKNOWN)
    named = [hint for hint in hints if hint.cores is not None and abs(hint.cores - level) < 1] or hints
    what = f"the CPU limit was raised {_change(resize, 'cpu')}, but the use stays at {median(used):.3g} cores"
    return Effect(EffectVerdict.WITHOUT_EFFECT, "cpu", f"{what}; {_why(named, 'cpu')}")


def _memory(
    resize: ActuatedResize,
    before: Sequence[ContainerUsage],
    after: Sequence[ContainerUsage],
    hints: Sequence[RuntimeHint],
) -> Effect:
    """More memory is of use only where the container was near its limit. Only a runtime with a heap ignores it then."""
    old, new = _raised(resize, "memory")
    earlier = [usage.memory_bytes for usage in before if usage.memory_bytes is not None]
    if new < old * (1 + 2 * TOLERANCE) or not earlier or max(earlier) < old * NEAR_LIMIT:
        return Effect(EffectVerdict.UNKNOWN)
    used = [usage.memory_bytes for usage in after if usage.memory_bytes is not None]
    if len(used) < LEAST_SAMPLES:
        return Effect(EffectVerdict.PENDING)
    if max(used) > max(earlier) * (1 + TOLERANCE):
        return Effect(EffectVerdict.EFFECTIVE)
    if not hints or not _stays(used, max(earlier)):
        return Effect(EffectVerdict.UNKNOWN)
    what = (
        f"the memory limit was raised {_change(resize, 'memory')}, but the use stays at {median(used) / 2**20:.0f} Mi"
    )
    return Effect(EffectVerdict.WITHOUT_EFFECT, "memory", f"{what}; {_why(hints, 'memory')}")


def _raised(resize: ActuatedResize, kind: Kind) -> tuple[float, float]:
    """Return the old and the new limit, equal where one is missing: without a limit, nothing holds the container."""
    old, new = resize.old.limits.get(kind), resize.new.limits.get(kind)
    return (0.0, 0.0) if old is None or new is None else (float(old), float(new))


def _change(resize: ActuatedResize, kind: Kind) -> str:
    return f"from {format_quantity(resize.old.limits[kind])} to {format_quantity(resize.new.limits[kind])}"


def _was_held(usage: ContainerUsage, limit: float) -> bool:
    """Return whether the limit held the container back; a use at the limit shows it where throttling is unknown."""
    if usage.throttled_ratio is not None:
        return usage.throttled_ratio >= THROTTLED
    return usage.cpu_cores is not None and usage.cpu_cores >= limit * (1 - TOLERANCE)


def _stays(used: Iterable[float], level: float) -> bool:
    values = [*used]
    return median(values) >= level * (1 - TOLERANCE) and max(values) <= level * (1 + TOLERANCE)


def _why(hints: Sequence[RuntimeHint], kind: Kind) -> str:
    """Return what may hold the container at its old limits, and what to do."""
    if not hints:
        return f"{_GENERAL.format(kind=kind)}; restart the container, or let its resizePolicy be RestartContainer"
    return "; ".join(f"{hint.runtime} ({hint.setting}): {hint.fixed}; {hint.remedy}" for hint in hints[:2])
