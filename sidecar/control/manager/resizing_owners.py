"""Which resources of a target are not resized because the number of its replicas follows their use. Pure.

With both, the share of use that an autoscaler reads would change with the request, and the two would act on each other.
"""

from __future__ import annotations

from ...settings.document import ModelMonitor
from ..reasons import Reason
from ..scale.target import TargetFacts
from ..workload.hold import Hold
from .scaling_targets import ScalingTargets

OWNED = {"cpu": Reason.HORIZONTAL_OWNS_CPU, "memory": Reason.HORIZONTAL_OWNS_MEMORY}


def withheld_resources(
    targets: ScalingTargets, namespace: str, monitor: ModelMonitor, target: TargetFacts
) -> dict[str, Hold]:
    """Return by resource why it is not resized: a scaling signal of a monitor, or an autoscaler, follows its use."""
    reference, container = monitor.spec.target_ref, monitor.spec.resources.container if monitor.spec.resources else ""
    found: dict[str, str] = {}
    for driver in target.replica_drivers:
        if driver.container in ("", container):
            found.setdefault(driver.resource, driver.text)
    if reference is not None:
        for signal in targets.signals(namespace, reference):
            if signal.container in ("", container):
                found.setdefault(signal.resource, f"the ModelMonitor {signal.monitor} scales by {signal.resource}")
    return {resource: Hold(OWNED[resource], f"{text}; {OWNED[resource].remedy}") for resource, text in found.items()}
