"""Creates the object of a retraining, once per intent, and turns the API server's errors into outcomes.

The name of the object follows from the intent alone. So a second attempt, also by another leader, finds the object of
the first one; a label tells it from an object of somebody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from ...kube.client import Kube
from ...kube.create import create
from ...kube.errors import AlreadyExistsError, KubeError, NotFoundError
from ...kube.objects import Resource
from ...kube.read import get
from ..api_errors import MEND_SECONDS, retry_of_error
from ..executor import Done, Failed, Outcome, RetryAt
from ..intent import Intent
from ..ledger import RetrainingRecord
from ..reasons import Reason
from .record import RUNNING

INTENT_LABEL = "pilotfish.dev/intent"
EVENT_ANNOTATION = "pilotfish.dev/event"
MAX_NAME = 63  # of a label value: Job, Argo and Tekton label pods with the name
KEPT_SECONDS = 3600  # of an object that has ended: if it was deleted at once, an attempt after a crash would repeat it
Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Owner:
    """The ModelMonitor that wants the object."""

    namespace: str
    name: str
    uid: str


def object_name(owner: Owner, intent: Intent) -> str:
    """Return the name of the object for `intent`, whatever the document names as template."""
    begin = owner.name.replace(".", "-")[: MAX_NAME - len(intent.id) - 1].rstrip("-")
    return f"{begin}-{intent.id}"


def event_of(intent: Intent) -> Event:
    """Return the CloudEvent of `intent`."""
    found: Event = msgspec.json.decode(str(intent.desired))
    return found


def own_metadata(
    owner: Owner,
    intent: Intent,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the metadata of the object: its name, and the labels and annotations of a template with those of ours."""
    own_annotations = {
        "pilotfish.dev/monitor": owner.name,
        "pilotfish.dev/episode": intent.key,
        "pilotfish.dev/cause": intent.why,
        EVENT_ANNOTATION: str(intent.desired),
    }
    return {
        "name": object_name(owner, intent),
        "namespace": owner.namespace,
        "labels": {**(labels or {}), INTENT_LABEL: intent.id},
        "annotations": {**(annotations or {}), **own_annotations},
    }


async def create_once(kube: Kube, resource: Resource, body: Mapping[str, Any], intent: Intent, now: float) -> Outcome:
    """Create the object `body`; an object with its name is success only if it is that of `intent`."""
    kind, name, namespace = body["kind"], body["metadata"]["name"], body["metadata"]["namespace"]
    done = Done(intent.why, RetrainingRecord(kind=kind, name=name, state=RUNNING, at=now))
    try:
        await create(kube, resource, dict(body), namespace)
    except AlreadyExistsError:
        try:
            found = await get(kube, resource, name, namespace)
        except KubeError as error:
            return outcome_of_error(error, now)
        if is_of(found, intent.id):
            return done
        what = f"{kind} {name} exists in the namespace {namespace}, but not for this retraining; delete or rename it"
        return Failed(Reason.ALREADY_EXISTS, what)
    except KubeError as error:
        return outcome_of_error(error, now)
    return done


def is_of(found: Mapping[str, Any], intent_id: str) -> bool:
    """Return whether an object was created for the intent."""
    labels = (found.get("metadata") or {}).get("labels") or {}
    return bool(labels.get(INTENT_LABEL) == intent_id)


async def read_template(kube: Kube, resource: Resource, name: str, namespace: str, now: float) -> Event | Outcome:
    """Return the object that the document names, or the outcome if it cannot be read."""
    try:
        return await get(kube, resource, name, namespace)
    except NotFoundError as error:
        if _kind_is_missing(error):
            return outcome_of_error(error, now)
        what = f"{resource.plural}.{resource.group} {name} does not exist in the namespace {namespace}"
        return RetryAt(Reason.TEMPLATE_NOT_FOUND, now + MEND_SECONDS, f"{what}; create it, or correct spec.retrain")
    except KubeError as error:
        return outcome_of_error(error, now)


def outcome_of_error(error: KubeError, now: float) -> Outcome:
    """Return the outcome of a request for a kind that failed: the cluster may lack the kind."""
    return retry_of_error(error, now, missing=Reason.API_MISSING, detail=str(error))


def _kind_is_missing(error: NotFoundError) -> bool:
    """Return whether the server does not serve the kind: then the response is no Status of an object."""
    return not error.reason or "could not find the requested resource" in str(error)
