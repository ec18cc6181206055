"""Kinds of objects of the Kubernetes API, and the paths of their URLs."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from ..errors import quote_value
from .errors import InvalidError


@dataclass(frozen=True)
class Resource:
    """One kind of object, as the API server names it in URLs. `group` is empty for the core group."""

    group: str
    version: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """The `apiVersion` of its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Return the path of the collection, of one object, or of its subresource.

        Without `namespace`, the collection of a namespaced resource spans all namespaces. Raises InvalidError for a
        name that would lead to another path.
        """
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        elif name and self.namespaced:
            raise InvalidError(
                f"no namespace for {self.plural} {quote_value(name)}; this kind of object has one; give it"
            )
        parts += [self.plural, *filter(None, (name, subresource))]
        for part in parts:
            if part in {".", ".."}:
                raise InvalidError(f"not a name of a Kubernetes object: {quote_value(part)}; give a DNS name")
        return "/" + "/".join(quote(part, safe=":") for part in parts)


def managed_by(field_manager: str) -> list[tuple[str, str]]:
    """Return the query parameter that names the field manager of a write; none for an empty name."""
    return [("fieldManager", field_manager)] if field_manager else []


CONFIG_MAPS = Resource("", "v1", "configmaps")
CRON_JOBS = Resource("batch", "v1", "cronjobs")
CUSTOM_RESOURCE_DEFINITIONS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", namespaced=False)
DEPLOYMENTS = Resource("apps", "v1", "deployments")
DISRUPTION_BUDGETS = Resource("policy", "v1", "poddisruptionbudgets")
EVENTS = Resource("events.k8s.io", "v1", "events")
HORIZONTAL_AUTOSCALERS = Resource("autoscaling", "v2", "horizontalpodautoscalers")
INFERENCE_POOLS = Resource("inference.networking.k8s.io", "v1", "inferencepools")
INFERENCE_POOLS_ALPHA = Resource("inference.networking.x-k8s.io", "v1alpha2", "inferencepools")
JOBS = Resource("batch", "v1", "jobs")
LEASES = Resource("coordination.k8s.io", "v1", "leases")
LIMIT_RANGES = Resource("", "v1", "limitranges")
MODEL_MONITORS = Resource("pilotfish.dev", "v1alpha1", "modelmonitors")
MUTATING_WEBHOOKS = Resource("admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations", namespaced=False)
NAMESPACES = Resource("", "v1", "namespaces", namespaced=False)
NODES = Resource("", "v1", "nodes", namespaced=False)
PIPELINES = Resource("tekton.dev", "v1", "pipelines")
PIPELINE_RUNS = Resource("tekton.dev", "v1", "pipelineruns")
PODS = Resource("", "v1", "pods")
POD_METRICS = Resource("metrics.k8s.io", "v1beta1", "pods")
REPLICA_SETS = Resource("apps", "v1", "replicasets")
RESOURCE_QUOTAS = Resource("", "v1", "resourcequotas")
SCALED_OBJECTS = Resource("keda.sh", "v1alpha1", "scaledobjects")
SECRETS = Resource("", "v1", "secrets")
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts")
SERVICES = Resource("", "v1", "services")
STATEFUL_SETS = Resource("apps", "v1", "statefulsets")
SUBJECT_ACCESS_REVIEWS = Resource("authorization.k8s.io", "v1", "subjectaccessreviews", namespaced=False)
TOKEN_REVIEWS = Resource("authentication.k8s.io", "v1", "tokenreviews", namespaced=False)
VERTICAL_AUTOSCALERS = Resource("autoscaling.k8s.io", "v1", "verticalpodautoscalers")
WORKFLOWS = Resource("argoproj.io", "v1alpha1", "workflows")
WORKFLOW_TEMPLATES = Resource("argoproj.io", "v1alpha1", "workflowtemplates")
