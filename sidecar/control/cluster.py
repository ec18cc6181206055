"""The lanes of a monitor in a cluster: webhooks whose secrets are Kubernetes Secrets, and objects that retrain.

To add an executor of retrainings, add one row to OBJECTS. CONTRIBUTING.md has the recipe.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ..errors import quote_value
from ..kube.client import Kube
from ..kube.errors import KubeError
from ..kube.objects import SECRETS
from ..kube.read import get
from ..settings.document import ModelMonitor
from ..settings.places import retrain_targets
from ..settings.webhooks import SecretRef, Webhook
from .app import LANES, POLICIES, Lane, Send, form_of, sender_of
from .executor import Executor
from .policy import Policy
from .resize import policy as resize
from .resize.executor import ResizeExecutor
from .retrain import argo, job, tekton
from .retrain.objects import Owner
from .retrain.policy import KIND as RETRAIN
from .scale import policy as scale
from .scale.executor import ScaleExecutor
from .webhook.addresses import AddressRules
from .webhook.files import WebhookFileError
from .webhook.sender import SecretReader, WebhookSender, WebhookTarget

# by the key in `spec.retrain`, alphabetically: the kind of the object, the field with the name of its template, and the
# executor
OBJECTS: Mapping[str, tuple[str, str, Callable[[Kube, Owner, Any], Executor]]] = {
    "argoWorkflow": (argo.KIND, "workflow_template", argo.ArgoExecutor),
    "job": (job.KIND, "cron_job", job.JobExecutor),
    "tektonPipelineRun": (tekton.KIND, "pipeline", tekton.TektonExecutor),
}
# one row per kind, alphabetically
CLUSTER_POLICIES: tuple[Policy, ...] = (*POLICIES, resize.POLICY, scale.POLICY)


def cluster_lanes(monitor: ModelMonitor, owner: Owner, *, kube: Kube, rules: AddressRules) -> dict[str, Lane]:
    """Return the lanes that `monitor` configures, by name; all objects are in the namespace of `owner`."""
    send = send_by_secrets(kube, owner.namespace, rules)
    lanes = {name: lane for make in LANES.values() for name, lane in make(monitor, send).items()}
    for key, target in (retrain_targets(monitor.spec.retrain) if monitor.spec.retrain else {}).items():
        if key in OBJECTS:
            kind, template, executor = OBJECTS[key]
            lanes[RETRAIN] = Lane(executor(kube, owner, target), f"{kind} from {getattr(target, template)}")
    if (scaled := monitor.spec.target_ref) is not None and monitor.spec.scaling is not None:
        lanes[scale.KIND] = Lane(ScaleExecutor(kube, owner.namespace, scaled), f"{scaled.kind} {scaled.name}")
    if (resized := monitor.spec.target_ref) is not None and monitor.spec.resources is not None:
        container = monitor.spec.resources.container
        resizer = ResizeExecutor(kube, owner.namespace, resized)
        lanes[resize.KIND] = Lane(resizer, f"{resized.kind} {resized.name}, container {container}")
    return lanes


def send_by_secrets(kube: Kube, namespace: str, rules: AddressRules) -> Send:
    """Return the function that makes senders whose secrets are Secrets in `namespace`."""

    def send(path: str, webhook: Webhook) -> WebhookSender:
        secret, url = (_reader(kube, namespace, ref) for ref in (webhook.secret_ref, webhook.url_secret_ref))
        target = WebhookTarget(url or webhook.url or "", secret, webhook.timeout, path, form_of(webhook), rules)
        return sender_of(target)

    return send


def _reader(kube: Kube, namespace: str, ref: SecretRef | None) -> SecretReader | None:
    return partial(read_secret_ref, kube, namespace, ref) if ref is not None else None


async def read_secret_ref(kube: Kube, namespace: str, ref: SecretRef) -> bytes:
    """Return the value in a Secret, without white space around it; raise WebhookFileError."""
    what = f"Secret {quote_value(ref.name)} in the namespace {namespace}"
    try:
        data = (await get(kube, SECRETS, ref.name, namespace)).get("data") or {}
        value = base64.b64decode(data[ref.key], validate=True).strip()
    except KubeError as error:
        raise WebhookFileError(f"{what}: {error}") from error
    except (KeyError, binascii.Error) as error:
        raise WebhookFileError(f"{what} has no key {quote_value(ref.key)}; add it, or correct secretRef") from error
    if not value:
        raise WebhookFileError(f"{what}: the key {quote_value(ref.key)} is empty; write the secret into it")
    return value
