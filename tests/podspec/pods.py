"""Random pods, LimitRanges and quotas, mostly valid, with all that makes a resize difficult."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

CPU = ["0", "1m", "3m", "100m", "250m", "333m", "0.5", "1", "1500m", "2", "7", "1k"]  # ascending
MEMORY = [
    "0", "1", "1500m", "1000", "64Mi", "100M", "128Mi", "200Mi", "1e9", "1Gi", "1.5Gi", "2Gi", "7Gi", "1Ti"
]  # fmt: skip
AMOUNTS: Mapping[str, list[str]] = {"cpu": CPU, "memory": MEMORY}
RATIOS = ["1", "1.1", "2", "4", "100"]


@st.composite
def _amount(draw: st.DrawFn, kind: str, least: int = 0) -> int:
    """The position of an amount, seldom one at the ends of the list."""
    last = len(AMOUNTS[kind]) - 1
    usual = st.integers(min(max(3, least), last), max(last - 2, min(least, last)))
    return draw(st.one_of(usual, usual, usual, st.integers(least, last)))


@st.composite
def resources(draw: st.DrawFn) -> dict[str, Any]:
    """The `resources` of a container: with requests, limits, both, neither, equal ones, and a GPU now and then."""
    block: dict[str, dict[str, str]] = {"requests": {}, "limits": {}}
    equal = draw(st.integers(0, 3)) == 0
    for kind, amounts in AMOUNTS.items():
        form = "equal" if equal else draw(st.sampled_from(["both", "both", "equal", "requests", "limits", "none"]))
        request = draw(_amount(kind))
        limit = request if form == "equal" else draw(_amount(kind, request))
        if form in ("both", "equal", "requests"):
            block["requests"][kind] = amounts[request]
        if form in ("both", "equal", "limits"):
            block["limits"][kind] = amounts[limit]
    if draw(st.integers(0, 5)) == 0:
        block = {side: {**found, "nvidia.com/gpu": "1"} for side, found in block.items()}
    return {side: found for side, found in block.items() if found}


def _block() -> st.SearchStrategy[dict[str, str]]:
    return st.fixed_dictionaries(
        {}, optional={kind: _amount(kind).map(found.__getitem__) for kind, found in AMOUNTS.items()}
    )


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    """Specs of pods, with sidecars, init containers and resources of the pod itself."""
    spec: dict[str, Any] = {"containers": [{"name": "model", "resources": draw(resources())}]}
    if draw(st.booleans()):
        spec["containers"].append({"name": "other", "resources": draw(resources())})
    inits = []
    for name in draw(st.sampled_from([[], [], ["sidecar"], ["init"], ["init", "sidecar"], ["sidecar", "init"]])):
        always = {"restartPolicy": "Always"} if name == "sidecar" else {}
        inits.append({"name": name, "resources": draw(resources()), **always})
    if inits:
        spec["initContainers"] = inits
    if draw(st.integers(0, 4)) == 0:
        spec["resources"] = draw(resources())
        for side in ("limits", "requests"):
            spec["resources"].get(side, {}).pop("nvidia.com/gpu", None)
    policy = draw(st.sampled_from([None, "NotRequired", "RestartContainer"]))
    if policy:
        spec["containers"][0]["resizePolicy"] = [{"resourceName": "memory", "restartPolicy": policy}]
    if draw(st.integers(0, 5)) == 0:
        spec["activeDeadlineSeconds"] = 3600
    return spec


@st.composite
def _item(draw: st.DrawFn) -> dict[str, Any]:
    item: dict[str, Any] = {"type": draw(st.sampled_from(["Container", "Pod"]))}
    for kind, amounts in AMOUNTS.items():
        least, most = draw(st.integers(0, 4)), draw(st.integers(len(amounts) - 5, len(amounts) - 1))
        sides = {"min": amounts[least], "max": amounts[most], "maxLimitRequestRatio": draw(st.sampled_from(RATIOS))}
        if item["type"] == "Container":
            sides |= {"default": amounts[draw(_amount(kind))], "defaultRequest": amounts[draw(_amount(kind))]}
        for side in draw(st.sets(st.sampled_from([*sides]), max_size=2)):
            item.setdefault(side, {})[kind] = sides[side]
    return item


def limit_ranges() -> st.SearchStrategy[list[dict[str, Any]]]:
    """LimitRanges, most of which admit most pods; some of them the API server would not store."""
    return st.one_of(st.just([]), st.lists(_item(), max_size=2)).map(
        lambda found: [{"metadata": {"name": f"range-{i}"}, "spec": {"limits": [one]}} for i, one in enumerate(found)]
    )


@st.composite
def quotas(draw: st.DrawFn) -> list[dict[str, Any]]:
    """ResourceQuotas with their status."""
    found = []
    for position in range(draw(st.sampled_from([0, 0, 1, 2]))):
        names = draw(st.sets(st.sampled_from(["cpu", "requests.cpu", "limits.cpu", "memory", "limits.memory"])))
        hard, used = {}, {}
        for name in names:
            kind = name.rpartition(".")[2]
            hard[name] = AMOUNTS[kind][draw(_amount(kind, len(AMOUNTS[kind]) - 4))]
            used[name] = AMOUNTS[kind][draw(_amount(kind))]
        scope = draw(st.sampled_from([[], [], ["BestEffort"], ["NotBestEffort"], ["Terminating"], ["NotTerminating"]]))
        spec = {"hard": hard, **({"scopes": scope} if scope else {})}
        found.append({"metadata": {"name": f"quota-{position}"}, "spec": spec, "status": {"hard": hard, "used": used}})
    return found


_MILLICORES = st.integers(1, 3000).map(lambda number: Fraction(number, 1000))
TARGETS = st.fixed_dictionaries(
    {},
    optional={
        "cpu": st.one_of(
            st.fractions(Fraction(0), Fraction(10)), st.integers(1, 3000).map(lambda n: Fraction(n, 1000))
        ),
        "memory": st.one_of(st.integers(0, 2**34), st.sampled_from([2**20, 2**30, 10**18, 2**63])).map(Fraction),
    },
)
