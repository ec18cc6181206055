"""The pools of the controller: which monitors are in them, and the option that gives them."""

from __future__ import annotations

import pytest

from pilotfish.sidecar.control.manager.key import MonitorKey
from pilotfish.sidecar.control.manager.pools import PoolBook, parse_pools
from pilotfish.sidecar.control.manager.resizing_pool import pool_load
from pilotfish.sidecar.control.manager.resizing_usage import UsageReading
from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.resize.pool.member import PoolLoad, PoolMember, PoolPod
from pilotfish.sidecar.control.resize.usage import ContainerUsage
from pilotfish.sidecar.errors import UsageError


def item(name: str, pool: object = "shared", namespace: str = "ml") -> dict:
    spec = {"resources": {"container": "model", "cpu": {"max": 4}, "pool": pool}}
    return {"metadata": {"name": name, "namespace": namespace, "uid": name}, "spec": spec}


def member(load: float, now: float, cores: float = 2.0) -> PoolMember:
    pods = (PoolPod(uid="pod", requested=cores, allocated=cores),)
    return PoolMember(pods=pods, minimum=0.1, maximum=4.0, load=PoolLoad(cpu=load, rate=load, in_flight=load, at=now))


def key(name: str, namespace: str = "ml") -> MonitorKey:
    return MonitorKey(namespace, name, name)


def test_monitors_of_one_namespace_share_the_pool_that_they_name() -> None:
    book = PoolBook({("ml", "shared"): 4.0})
    book.update([item("a"), item("b"), item("c", namespace="other"), item("d", pool=None), item("e", pool={})])
    assert book.exchange(key("a"), "shared", member(0.0, 0.0), 0.0).reason is Reason.POOL_WAITING
    book.exchange(key("b"), "shared", member(1.9, 0.0), 0.0)
    assert book.exchange(key("a"), "shared", member(0.0, 60.0), 60.0).pods == {"pod": 0.1}
    assert book.exchange(key("a"), "shared", member(0.0, 120.0, cores=0.1), 120.0).reason is None
    assert book.exchange(key("b"), "shared", member(1.9, 120.0), 120.0).pods == {"pod": pytest.approx(3.9, abs=0.002)}


@pytest.mark.parametrize(("namespace", "name"), [("other", "shared"), ("ml", "other")])
def test_a_pool_that_nobody_gave_changes_nothing(namespace: str, name: str) -> None:
    book = PoolBook({("ml", "shared"): 4.0})
    book.update([item("a", pool=name, namespace=namespace)])
    share = book.exchange(key("a", namespace), name, member(1.0, 0.0), 0.0)
    assert (share.cores, share.entry, share.pods, share.reason) == (None, None, {"pod": 2.0}, Reason.POOL_UNKNOWN)
    assert share.text.startswith(f"pool {namespace}/{name}: the administrator has defined no pool of this name")


def test_a_monitor_that_leaves_gives_its_cores_back() -> None:
    book = PoolBook({("ml", "shared"): 4.0})
    book.update([item("a"), item("b")])
    for name in ("a", "b"):
        book.exchange(key(name), "shared", member(1.9, 0.0), 0.0)
    assert book.exchange(key("b"), "shared", member(1.9, 60.0), 60.0).pods == {"pod": 2.0}
    book.update([item("b")])
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
