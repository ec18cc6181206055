"""Owners of replicas, for tests of the manager."""

from __future__ import annotations

from dataclasses import replace

from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.workload.field_owner import FieldOwner

HPA = FieldOwner(
    kind="HorizontalPodAutoscaler",
    name="delays",
    manager="kube-controller-manager",
    reason=Reason.AUTOSCALER,
    text="the HorizontalPodAutoscaler delays scales the target",
    remedy="delete it",
    yields=False,
)
HELM = replace(HPA, kind="Helm", name="delays", manager="helm", reason=Reason.APPLIED_ELSEWHERE, yields=True)
