"""Retraining by a Job from the template of a CronJob, as `kubectl create job --from=cronjob/NAME` creates it.

Unlike there, the CronJob is the owner but not the controller of the Job. The Job ends with the CronJob, and no limit on
the history of the CronJob deletes it before its end was seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from ...kube.client import Kube
from ...kube.objects import CRON_JOBS, JOBS
from ...settings.retraining import JobTarget
from ..executor import Outcome
from ..intent import Intent
from .objects import EVENT_ANNOTATION, KEPT_SECONDS, Owner, create_once, event_of, own_metadata, read_template
from .record import FAILED, RUNNING, SUCCEEDED, ObjectState, condition, message_of

KIND = "Job"


@dataclass(frozen=True, slots=True)
class JobExecutor:
    """Executor that creates a Job for each intent. The CronJob may be suspended."""

    kube: Kube
    owner: Owner
    target: JobTarget

    async def apply(self, intent: Intent, now: float) -> Outcome:
        """Create the Job of `intent`, unless it exists."""
        found = await read_template(self.kube, CRON_JOBS, self.target.cron_job, self.owner.namespace, now)
        if isinstance(found, Outcome):
            return found
        return await create_once(self.kube, JOBS, job_of(found, self.owner, intent), intent, now)


def job_of(cron_job: Mapping[str, Any], owner: Owner, intent: Intent) -> dict[str, Any]:
    """Return the Job for `intent` from the template in `cron_job`.

    Each container gets the event as environment variables `PILOTFISH_*`, instead of those with the same name in the
    template. A finished Job is kept for KEPT_SECONDS at least.
    """
    template = cron_job["spec"]["jobTemplate"]
    given = template.get("metadata") or {}
    annotations = {"cronjob.kubernetes.io/instantiate": "manual", **(given.get("annotations") or {})}
    metadata = own_metadata(owner, intent, given.get("labels"), annotations)
    metadata["ownerReferences"] = [
        {  # not as its controller: the CronJob controller warns of Jobs that it did not create, and deletes old ones
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "name": cron_job["metadata"]["name"],
            "uid": cron_job["metadata"]["uid"],
        }
    ]
    spec = deepcopy(template["spec"])
    if spec.get("ttlSecondsAfterFinished") is not None:
        spec["ttlSecondsAfterFinished"] = max(spec["ttlSecondsAfterFinished"], KEPT_SECONDS)
    pod = spec["template"]
    pod_metadata = pod.get("metadata") or {}
    pod_annotations = {**(pod_metadata.get("annotations") or {}), EVENT_ANNOTATION: str(intent.desired)}
    pod["metadata"] = {**pod_metadata, "annotations": pod_annotations}
    environment = environment_of(owner, intent)
    names = {variable["name"] for variable in environment}
    for container in (*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]):
        kept = [variable for variable in container.get("env") or () if variable["name"] not in names]
        container["env"] = [*kept, *environment]
    return {"apiVersion": "batch/v1", "kind": KIND, "metadata": metadata, "spec": spec}


def environment_of(owner: Owner, intent: Intent) -> list[dict[str, Any]]:
    """Return the variables of a container: the whole event, and its most important fields."""
    data = event_of(intent)["data"]
    fields = {
        "PILOTFISH_CAUSE": data["cause"],
        "PILOTFISH_EPISODE": data["episode"],
        "PILOTFISH_EVENT_ID": intent.id,
        "PILOTFISH_MODEL": data["model"],
        "PILOTFISH_MONITOR": owner.name,
        "PILOTFISH_PROFILE_HASH": data["profileHash"],
        "PILOTFISH_VERSION": data["version"],
    }
    event = {"fieldRef": {"fieldPath": f"metadata.annotations['{EVENT_ANNOTATION}']"}}
    plain = [{"name": name, "value": value.replace("$(", "$$(")} for name, value in fields.items()]  # never expanded
    return [{"name": "PILOTFISH_EVENT", "valueFrom": event}, *plain]


def job_state(job: Mapping[str, Any]) -> ObjectState:
    """Return the state of a Job; it has failed when the Job controller has given it up."""
    failed = condition(job, "Failed")
    if failed.get("status") == "True":
        return ObjectState(FAILED, message_of(failed))
    return ObjectState(SUCCEEDED if condition(job, "Complete").get("status") == "True" else RUNNING)
