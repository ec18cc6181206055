"""The pools of the controller: which monitors are in them, and the option that gives them."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.control.manager.accepted import accept, document_bytes
from pilotfish.sidecar.control.manager.key import MonitorKey
from pilotfish.sidecar.control.manager.pools import PoolBook, parse_pools
from pilotfish.sidecar.control.manager.resizing_pool import pool_load, pool_member
from pilotfish.sidecar.control.manager.resizing_usage import UsageReading
from pilotfish.sidecar.control.manager.selectors import Selector
from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.resize.pool.book import SharedPool
from pilotfish.sidecar.control.resize.pool.member import PoolLoad, PoolMember, PoolPod
from pilotfish.sidecar.control.resize.usage import ContainerUsage
from pilotfish.sidecar.errors import UsageError
from tests.control.manager.fleets import signals_of
from tests.control.manager.worlds import SmallWorld, monitor_item, pod_item
from tests.support.examples import examples

RESOURCES = {"container": "model", "pool": "shared", "cpu": {"min": "100m", "max": 4}}
DOCUMENT = accept(document_bytes(monitor_item(profiles=[], retrain=None, resources=RESOURCES)), "test").monitor


def member(load: float, now: float, cores: float = 2.0) -> PoolMember:
    pods = (PoolPod(uid="pod", requested=cores, allocated=cores),)
    return PoolMember(pods=pods, minimum=0.1, maximum=4.0, load=PoolLoad(cpu=load, rate=load, in_flight=load, at=now))


def key(name: str, namespace: str = "ml") -> MonitorKey:
    return MonitorKey(namespace, name, name)


def test_monitors_of_one_namespace_share_the_pool_that_they_name() -> None:
    book = PoolBook({("ml", "shared"): 4.0})
    book.update([(key("a"), "shared"), (key("b"), "shared"), (key("c", "other"), "shared"), (key("d"), None)])
    assert book.exchange(key("a"), "shared", member(0.0, 0.0), 0.0).reason is Reason.POOL_WAITING
    book.exchange(key("b"), "shared", member(1.9, 0.0), 0.0)
    assert book.exchange(key("a"), "shared", member(0.0, 60.0), 60.0).pods == {"pod": 0.1}
    assert book.exchange(key("a"), "shared", member(0.0, 120.0, cores=0.1), 120.0).reason is None
    assert book.exchange(key("b"), "shared", member(1.9, 120.0), 120.0).pods == {"pod": pytest.approx(3.9, abs=0.002)}


@pytest.mark.parametrize(("namespace", "name"), [("other", "shared"), ("ml", "other")])
def test_a_pool_that_nobody_gave_changes_nothing(namespace: str, name: str) -> None:
    book = PoolBook({("ml", "shared"): 4.0})
    book.update([(key("a", namespace), name)])
    share = book.exchange(key("a", namespace), name, member(1.0, 0.0), 0.0)
    assert (share.cores, share.entry, share.pods, share.reason) == (None, None, {"pod": 2.0}, Reason.POOL_UNKNOWN)
    assert share.text.startswith(f"pool {namespace}/{name}: the administrator has defined no pool of this name")


def test_a_monitor_that_leaves_gives_its_cores_back() -> None:
    book = PoolBook({("ml", "shared"): 4.0})
    book.update([(key("a"), "shared"), (key("b"), "shared")])
    for name in ("a", "b"):
        book.exchange(key(name), "shared", member(1.9, 0.0), 0.0)
    assert book.exchange(key("b"), "shared", member(1.9, 60.0), 60.0).pods == {"pod": 2.0}
    book.update([(key("b"), "shared")])
    assert book.exchange(key("b"), "shared", member(1.9, 120.0), 120.0).pods["pod"] > 3.0


def test_the_option_gives_cores_to_a_pool_of_a_namespace() -> None:
    assert parse_pools(["ml/shared=4", "ml/other=2500m"]) == {("ml", "shared"): 4.0, ("ml", "other"): 2.5}


@pytest.mark.parametrize(
    "given",
    ["shared=4", "ml/shared", "ml/shared=", "ml/shared=0", "ml/shared=x", "ML/shared=4", "ml/shared=1e9", "a/b=0.1m"],
)
def test_a_pool_that_cannot_be_read_is_refused_with_the_remedy(given: str) -> None:
    with pytest.raises(UsageError, match=r"--pool '.*': give NAMESPACE/NAME=CPU"):
        parse_pools([given])


def test_a_pool_is_given_once() -> None:
    with pytest.raises(UsageError, match="the pool ml/shared is given twice"):
        parse_pools(["ml/shared=4", "ml/shared=5"])


@pytest.mark.parametrize(("limits", "known"), [((0.5, 0.25), 1.5), ((0.5, None), None), ((None, None), None)])
def test_the_limits_of_all_pods_count_if_all_have_one(limits: tuple[float | None, ...], known: float | None) -> None:
    usages = tuple(
        ContainerUsage(pod_uid=str(place), container="model", cpu_cores=0.2, memory_bytes=None, cpu_limit=limit, at=0.0)
        for place, limit in enumerate(limits)
    )
    load = pool_load(UsageReading(usages), 4, (), 0.0)
    assert load is not None
    assert load.limit == known


@pytest.mark.parametrize(
    ("ages", "rate"), [((), None), ((10,), None), ((10, 500), None), ((10, 20), 80), ((1,) * 4, 80)]
)
def test_the_requests_of_all_pods_are_known_from_half_of_them_and_recent_ones(
    ages: tuple[float, ...], rate: float | None
) -> None:
    usages = tuple(
        ContainerUsage(pod_uid=str(place), container="model", cpu_cores=0.2, memory_bytes=None, at=0.0)
        for place in range(4)
    )
    loads = [(1000.0 - age, signals_of(str(place), concurrency=3.0)) for place, age in enumerate(ages)]
    load = pool_load(UsageReading(usages), 4, loads, 1000.0)
    assert load is not None
    assert load.rate == rate
    assert load.in_flight == (None if rate is None else 12.0)


@settings(max_examples=examples(60))
@given(st.integers(0, 2**32))
def test_an_autoscaler_that_adds_pods_between_two_looks_does_not_break_the_budget(seed: int) -> None:
    chance = Random(seed)
    fleet = AutoscaledPool(chance)
    for _ in range(60):
        fleet.step()
        assert fleet.held <= fleet.pool.budget + 1e-6


class AutoscaledPool:
    """Two members of which an autoscaler sets the replicas, and whose pods get what the injector gives them."""

    def __init__(self, chance: Random) -> None:
        self.chance, self.now = chance, 0.0
        self.most = {name: chance.randint(1, 6) for name in ("a", "b")}
        self.pods: dict[str, dict[str, float]] = {name: {f"{name}-0": 0.5} for name in self.most}
        minima = sum(0.1 * (most - 1) + 0.5 for most in self.most.values())
        self.pool = SharedPool("ml/shared", round(minima + chance.choice((0.0, 0.3, 2.0)), 3))
        self.pool.expect(self.most)
        self.entry: dict[str, float | None] = dict.fromkeys(self.most)
        self.made = 0

    @property
    def held(self) -> float:
        return sum(sum(pods.values()) for pods in self.pods.values())

    def step(self) -> None:
        name = self.chance.choice(sorted(self.most))
        self.now += self.chance.uniform(0.0, 40.0)
        if self.chance.random() < 0.6:
            self.look(name)
            return
        entry = self.entry[name]
        wanted = self.chance.randint(0, self.most[name])
        while len(self.pods[name]) > wanted:
            del self.pods[name][self.chance.choice(sorted(self.pods[name]))]
        while entry is not None and len(self.pods[name]) < wanted:
            self.made += 1
            self.pods[name][f"{name}-{self.made}"] = entry

    def look(self, name: str) -> None:
        """Publish what the manager sees, and let the nodes make every resize at once."""
        target = SmallWorld().target.facts(self.now)
        target = replace(target, spec_replicas=len(self.pods[name]), most_replicas=self.most[name])
        items = [sized_pod(uid, cores) for uid, cores in self.pods[name].items()]
        load = PoolLoad(cpu=self.chance.uniform(0.0, 3.0), at=self.now)
        found = pool_member(DOCUMENT, items, Selector(()), target, {}, load, acts=True)
        assert found is not None
        share = self.pool.exchange(name, found, self.now)
        self.entry[name] = share.entry
        self.pods[name] |= {uid: cores for uid, cores in share.pods.items() if uid in self.pods[name]}


def sized_pod(uid: str, cores: float) -> dict[str, Any]:
    """A running pod whose node has made its resize."""
    given = {"requests": {"cpu": f"{round(cores * 1000)}m"}}
    item = pod_item(uid)
    item["metadata"]["uid"] = uid
    item["spec"] = {"containers": [{"name": "model", "resources": given}]}
    item["status"]["containerStatuses"] = [
        {"name": "model", "resources": given, "allocatedResources": given["requests"]}
    ]
    return item
