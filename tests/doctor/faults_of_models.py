"""Faults of the models and of what is around them."""

from __future__ import annotations

from typing import Any

from pilotfish.sidecar.doctor.findings import Level
from tests.doctor.changes import Fault, both, changed, model_container, objects, scaler
from tests.doctor.healthy import named, plain_pod, service

QUOTA: Any = {"status": {"hard": {"requests.memory": "1Gi"}, "used": {"requests.memory": "1000Mi"}}}
CPU_QUOTA: Any = {"status": {"hard": {"limits.cpu": "700m"}, "used": {"limits.cpu": "0"}}}
CPU = [{"type": "Resource", "resource": {"name": "cpu"}}]
RESTRICTED = changed(
    "namespaces", lambda item: item["metadata"]["labels"].update({"pod-security.kubernetes.io/enforce": "restricted"})
)
FAULTS = [
    Fault(
        changed("namespaces", lambda item: item["metadata"]["labels"].update({"pilotfish.dev/inject": "yes"})),
        "injected",
        Level.WARNING,
        "namespace/models",
        "has no meaning",
        "=all",
    ),
    Fault(
        objects("pods", plain_pod()),
        "injected",
        Level.WARNING,
        "models/deployment/loans",
        "without an answer of the injector",
        "rollout restart deployment/loans",
    ),
    Fault(
        objects(
            "pods",
            named(
                "loans-1",
                "models",
                {"pilotfish.dev/injected": "true", "pilotfish.dev/inject": "true"},
                spec={"containers": [{"name": "model"}]},
            ),
        ),
        "injected",
        Level.ERROR,
        "models/pod/loans-1",
        "not all sidecars",
        "remove the label",
    ),
    Fault(
        changed("pods", lambda item: item["metadata"]["labels"].update({"pilotfish.dev/release": "0.0.9"})),
        "current",
        Level.WARNING,
        "models/deployment/loans",
        "of release 0.0.9; 0.1.0 is installed",
        "rollout restart",
    ),
    Fault(
        objects("services", service(8000)),
        "services",
        Level.WARNING,
        "models/deployment/loans",
        "Service loans, port 80 targets 8000",
        "name of the port",
    ),
    Fault(
        objects(
            "inferencepools",
            named(
                "pool",
                "models",
                spec={"selector": {"matchLabels": {"app": "loans"}}, "targetPorts": [{"number": 8000}]},
            ),
        ),
        "services",
        Level.WARNING,
        "models/deployment/loans",
        "InferencePool pool targets 8000",
        "name of the port",
    ),
    Fault(
        changed("modelmonitors", lambda item: item["status"].clear()),
        "monitors",
        Level.WARNING,
        "models/modelmonitor/loans",
        "no status",
        "watchNamespace",
    ),
    Fault(
        changed(
            "modelmonitors",
            lambda item: item["status"].update(
                conditions=[
                    {"type": "Ready", "status": "False", "reason": "TargetNotFound", "message": "no \x1b[31mDeployment"}
                ]
            ),
        ),
        "monitors",
        Level.WARNING,
        "models/modelmonitor/loans",
        "Ready is False (TargetNotFound): no ·[31mDeployment",
        "reasons.md",
    ),
    Fault(
        objects(
            "modelmonitors",
            *(
                [
                    named(
                        name,
                        "models",
                        spec={"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "loans"}},
                    )
                    for name in ("a", "b")
                ]
            ),
        ),
        "monitors",
        Level.WARNING,
        "models/deployment/loans",
        "2 monitors have it as their target: a, b",
        "all but one",
    ),
    Fault(
        objects("horizontalpodautoscalers", scaler(metrics=CPU)),
        "owners",
        Level.HINT,
        "models/horizontalpodautoscaler/loans",
        "whole pod",
        "ContainerResource",
    ),
    Fault(
        both(
            objects("horizontalpodautoscalers", scaler(metrics=CPU)),
            changed("pods", lambda item: item["spec"]["initContainers"][0].pop("resources")),
        ),
        "owners",
        Level.ERROR,
        "models/horizontalpodautoscaler/loans",
        "pilotfish-proxy requests none",
        "sidecar.proxy.resources",
    ),
    Fault(
        objects("verticalpodautoscalers", scaler()),
        "owners",
        Level.HINT,
        "models/verticalpodautoscaler/loans",
        "resizes the sidecars",
        "mode Off",
    ),
    Fault(
        changed("servers", lambda item: item["metadata"].update(annotations={"argocd.argoproj.io/tracking-id": "x"})),
        "owners",
        Level.HINT,
        "pilotfish-control",
        "Argo CD",
        "caBundle",
    ),
    Fault(
        changed("servers", lambda item: item["metadata"]["labels"].update({"helm.toolkit.fluxcd.io/name": "x"})),
        "owners",
        Level.HINT,
        "pilotfish-control",
        "Flux",
        "drift detection",
    ),
    Fault(
        both(
            RESTRICTED,
            changed(
                "pods", lambda item: item["metadata"]["annotations"].update({"pilotfish.dev/interception": "redirect"})
            ),
        ),
        "admission",
        Level.WARNING,
        "models/deployment/loans",
        "level restricted",
        "privileged",
    ),
    Fault(
        both(
            RESTRICTED, changed("modelmonitors", lambda item: item["spec"].update(traffic={"interception": "redirect"}))
        ),
        "admission",
        Level.WARNING,
        "models/modelmonitor/loans",
        "NET_ADMIN",
        "privileged",
    ),
    Fault(
        objects("resourcequotas", named("quota", "models", **QUOTA)),
        "admission",
        Level.WARNING,
        "models/resourcequota/quota",
        "requests.memory: 1000Mi of 1Gi are used",
        "raise the quota",
    ),
    Fault(
        objects("resourcequotas", named("quota", "models", **CPU_QUOTA)),
        "admission",
        Level.WARNING,
        "models/resourcequota/quota",
        "limits.cpu: 0 of 700m are used",  # the sidecars get limits of 750m because of this quota
        "raise the quota",
    ),
    Fault(
        model_container(args=["--forwarded-allow-ips=10.0.0.1"]),
        "peers",
        Level.HINT,
        "models/deployment/loans",
        "--forwarded-allow-ips",
        "127.0.0.1",
    ),
    Fault(
        model_container(env=[{"name": "FORWARDED_ALLOW_IPS", "value": "hidden-value"}]),
        "peers",
        Level.HINT,
        "models/deployment/loans",
        "FORWARDED_ALLOW_IPS",
        "X-Forwarded-For",
    ),
]
