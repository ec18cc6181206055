"""Turns the figures of a pod into samples of the model server and of Pilotfish. Pure.

The model server are all containers of the pod but those of Pilotfish, as in the recording rules. The counters of a
container begin with its first figures, and a container that was started again begins anew. The sums never fall.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Literal

from ..gpu_use import UNMEASURED, ModelGpuUse
from ..usage import UsageSample
from .figures import ContainerFigures, GpuFigures, PodFigures

OWN_PREFIX = "pilotfish-"  # of the names of the containers that the injector adds
Of = Literal["model", "pilotfish"]


@dataclass(slots=True)
class _Sums:
    """The counters of one group of containers."""

    amounts: dict[str, int] = field(default_factory=dict)
    before: dict[str, dict[str, int]] = field(default_factory=dict)  # by container

    def add(self, containers: Iterable[tuple[str, dict[str, int]]]) -> None:
        """Add what the containers used since their previous counters; a new one counts from now on."""
        now = dict(containers)
        for key, counters in now.items():
            earlier = self.before.get(key, counters)
            for name, amount in counters.items():
                grown = max(0, amount - earlier.get(name, amount))
                self.amounts[name] = self.amounts.get(name, 0) + grown
        self.before = now


class PodUsage:
    """Keeps the sums of one pod. Call `add` with each figures of the node, in order."""

    def __init__(self) -> None:
        self._sums: dict[Of, _Sums] = {"model": _Sums(), "pilotfish": _Sums()}
        self._pod = _Sums()  # kills of the whole pod
        self._gpu: GpuFigures | None = None

    def add(self, figures: PodFigures, at_ns: int) -> dict[Of, UsageSample | None]:
        """Return a sample of each group at `at_ns`; None for a group without a container."""
        groups: dict[Of, list[ContainerFigures]] = {"model": [], "pilotfish": []}
        for one in figures.containers:
            groups["pilotfish" if one.name.startswith(OWN_PREFIX) else "model"].append(one)
        for of, containers in groups.items():
            self._sums[of].add((one.id, _counters(one)) for one in containers)
        if figures.oom_kills is not None:
            self._pod.add([("", {"oom_kills": figures.oom_kills})])
        samples: dict[Of, UsageSample | None] = {
            of: self._sample(of, containers, at_ns, figures) if containers else None
            for of, containers in groups.items()
        }
        return samples

    def gpu_growth(self, figures: PodFigures) -> ModelGpuUse:
        """Return what the pod's GPUs did since the previous figures; None for what is not measured."""
        before, self._gpu = self._gpu, figures.gpu
        now = figures.gpu
        if now is None:
            return UNMEASURED
        same = before is not None and before.since == now.since

        def growth(name: str) -> int | None:
            after: int | None = getattr(now, name)
            earlier: int | None = getattr(before, name) if same else None
            return None if after is None else max(0, after - (after if earlier is None else earlier))

        return ModelGpuUse(growth("busy_ns"), growth("card_ns"), growth("energy_uj"), now.notes)

    def _sample(self, of: Of, containers: Collection[ContainerFigures], at_ns: int, figures: PodFigures) -> UsageSample:
        amounts = dict(self._sums[of].amounts)
        if of == "model" and "oom_kills" in self._pod.amounts:  # those in containers that were started again, too
            own = self._sums["pilotfish"].amounts.get("oom_kills", 0)
            amounts["oom_kills"] = max(amounts.get("oom_kills", 0), self._pod.amounts["oom_kills"] - own)
        limits = [one.memory_limit for one in containers]
        memory = [one.memory for one in containers]
        return UsageSample(
            at_ns=at_ns,
            source=f"node {figures.node}",
            method=f"cgroup v{max(one.version for one in containers)}",
            processes=sum(one.processes for one in containers),
            threads=sum(one.threads for one in containers),
            cpu_ns=amounts.get("cpu"),
            throttled_ns=amounts.get("throttled"),
            pressure_ns={
                name.removeprefix("pressure_"): amount
                for name, amount in amounts.items()
                if name.startswith("pressure_")
            },
            memory=_sum(memory),
            memory_limit=_sum(limits),
            oom_kills=amounts.get("oom_kills"),
            received=figures.received if of == "model" else None,
            sent=figures.sent if of == "model" else None,
        )


def _sum(amounts: Collection[int | None]) -> int | None:
    """Return the sum; None if one is not known, such as no limit."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known and len(known) == len(amounts) else None


def _counters(one: ContainerFigures) -> dict[str, int]:
    named = {
        "cpu": one.cpu_ns,
        "oom_kills": one.oom_kills,
        "throttled": one.throttled_ns,
        **{f"pressure_{resource}": amount for resource, amount in one.pressure_ns.items()},
    }
    return {name: amount for name, amount in named.items() if amount is not None}
