from __future__ import annotations

from typing import Any

import pytest

from pilotfish.sidecar.inject.context import ClusterService, Context, ServicePort
from pilotfish.sidecar.inject.injection import inject
from pilotfish.sidecar.inject.operations import patch_json
from pilotfish.sidecar.inject.reasons import InjectionReason

from . import cases
from .patching import apply

TEMPLATE = cases.template()
SERVICE = ClusterService("scores", {"app": "model"}, (ServicePort("http", 80, "http"),))
FULL = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}}


def injected(
    resources: dict[str, Any], limits: list[dict[str, Any]], quota: dict[str, str] | None = None, **spec: Any
) -> tuple[InjectionReason, dict[str, Any]]:
    """Return the reason, and the resources of the sidecars by name."""
    model = {"name": "model", "ports": [{"name": "http", "containerPort": 80}], "resources": resources}
    labels = {"app": "model", "pilotfish.dev/inject": "true"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [model], **spec}}
    context = Context(
        "models",
        services=[SERVICE],
        limit_ranges=[{"spec": {"limits": limits}}],
        quotas=[{"spec": {"hard": quota}}] if quota else [],
    )
    injection = inject(pod, context, TEMPLATE)
    after = apply(pod, patch_json(injection.patch))
    return injection.reason, {item["name"]: item["resources"] for item in after["spec"].get("initContainers", [])}


def test_sidecars_have_requests_and_no_limit_of_cpu() -> None:
    _, found = injected({}, [])
    assert found["pilotfish-proxy"] == {"requests": {"cpu": "50m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}}


def test_sidecars_of_a_guaranteed_pod_have_limits_that_equal_their_requests() -> None:
    _, found = injected(FULL, [])
    assert (
        found["pilotfish-proxy"]["requests"] == found["pilotfish-proxy"]["limits"] == {"cpu": "500m", "memory": "256Mi"}
    )
    assert found["pilotfish-analyzer"]["limits"] == {"cpu": "250m", "memory": "640Mi"}


def test_a_quota_or_limit_range_that_asks_for_a_limit_of_cpu_gets_one() -> None:
    for limits, quota in (([], {"limits.cpu": "9"}), ([{"type": "Container", "default": {"cpu": "100m"}}], None)):
        _, found = injected({}, limits, quota)
        assert found["pilotfish-proxy"]["limits"]["cpu"] == "500m"
    _, found = injected({}, [{"type": "Container", "max": {"cpu": "200m"}, "min": {"cpu": "80m"}}])
    assert (found["pilotfish-proxy"]["limits"]["cpu"], found["pilotfish-proxy"]["requests"]["cpu"]) == ("200m", "80m")


@pytest.mark.parametrize(
    ("hard", "used", "more", "fits"),
    [
        ({"requests.cpu": "2"}, {"requests.cpu": "900m"}, {}, True),  # 1000m and 100m are left
        ({"requests.cpu": "2"}, {"requests.cpu": "901m"}, {}, False),
        ({"cpu": "2"}, {"cpu": "901m"}, {}, False),
        ({"requests.cpu": "2"}, {"requests.cpu": "1001m"}, {}, True),  # the pod alone has no room: not our matter
        ({"limits.cpu": "1700m"}, {}, {}, False),
        ({"limits.cpu": "1750m"}, {}, {}, True),
        ({"limits.memory": "1919Mi"}, {}, {}, False),
        ({"limits.memory": "1920Mi"}, {}, {}, True),
        ({"limits.memory": "1Gi"}, {}, {"initContainers": [{"name": "a", "resources": FULL}]}, False),
        ({"requests.cpu": "1"}, {}, {"resources": FULL}, False),
        ({"requests.storage": "1", "pods": "1"}, {"pods": "0"}, {}, True),
    ],
)
def test_a_pod_that_fits_into_a_quota_only_without_sidecars_starts_without_them(
    hard: dict[str, str], used: dict[str, str], more: dict[str, Any], fits: bool
) -> None:
    model = {"name": "model", "ports": [{"name": "http", "containerPort": 80}], "resources": FULL}
    spec = {"containers": [model], **more}
    pod = {
        "metadata": {"labels": {"app": "model", "pilotfish.dev/inject": "true"}},
        # Burstable, so that the sidecars have the requests of the template
        "spec": {**spec, "initContainers": [*more.get("initContainers", ()), {"name": "b", "resources": {}}]},
    }
    quota = {"metadata": {"name": "team"}, "spec": {"hard": hard}, "status": {"hard": hard, "used": used}}
    found = inject(pod, Context("models", services=[SERVICE], quotas=[quota]), TEMPLATE)
    assert found.reason is (InjectionReason.NAMED_PORTS if fits else InjectionReason.QUOTA)
    for scope, counts in (("NotTerminating", True), ("Terminating", False)):
        scoped = {**quota, "spec": {"hard": hard, "scopes": [scope]}}
        found = inject(pod, Context("models", services=[SERVICE], quotas=[scoped]), TEMPLATE)
        assert found.reason is (InjectionReason.QUOTA if counts and not fits else InjectionReason.NAMED_PORTS)


def test_a_limit_range_of_pods_counts_all_containers() -> None:
    limits = [{"type": "Pod", "max": {"memory": "1Gi"}}]
    assert injected({"limits": {"memory": "100Mi"}}, limits)[0] is InjectionReason.NAMED_PORTS
    reason, found = injected({"limits": {"memory": "200Mi"}}, limits)
    assert (reason, found) == (InjectionReason.LIMIT_RANGE, {})


def test_a_pod_that_demands_root_gets_sidecars_with_the_user_of_the_image() -> None:
    for context, expected in ({"runAsUser": 0}, 65532), ({"runAsUser": 1000}, None), (None, None):
        model = {"name": "model", "ports": [{"name": "http", "containerPort": 80}]}
        labels = {"app": "model", "pilotfish.dev/inject": "true"}
        pod = {"metadata": {"labels": labels}, "spec": {"containers": [model], "securityContext": context}}
        after = apply(pod, patch_json(inject(pod, Context("models", services=[SERVICE]), TEMPLATE).patch))
        assert [item["securityContext"].get("runAsUser") for item in after["spec"]["initContainers"]] == [expected] * 2
