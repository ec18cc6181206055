"""Where settings work: some in a cluster only, others in a local file only."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import fields

from .document import Spec
from .errors import DocumentProblem
from .retraining import RETRAIN_TARGETS, Retrain
from .webhooks import Webhook


def cluster_only_problems(spec: Spec) -> Iterator[DocumentProblem]:
    """Yield a problem for each setting that `pilotfish run` cannot carry out, because it has no cluster."""
    found: list[tuple[str, object, str]] = [
        ("targetRef", spec.target_ref, "remove it; --upstream names the model server"),
        ("scaling", spec.scaling, "remove it; nothing is scaled here"),
        ("resources", spec.resources, "remove it; nothing is resized here"),
        ("traffic.ports", spec.traffic.ports, "remove it; --listen and --upstream name the ports"),
        (
            "traffic.interception",
            spec.traffic.interception != "auto",
            "remove it; clients connect to the address of --listen",
        ),
    ]
    if spec.retrain:
        found.append(("retrain.alerts", spec.retrain.alerts, "remove it; nothing receives alerts here"))
        found += [
            (f"retrain.{name}", value, "give webhook instead")
            for name, value in retrain_targets(spec.retrain).items()
            if name != "webhook"
        ]
    for path, webhook in webhooks(spec):
        block = path.removeprefix("spec.")
        found.append((f"{block}.secretRef", webhook.secret_ref, "give secretFile instead"))
        found.append((f"{block}.urlSecretRef", webhook.url_secret_ref, "give urlFile instead"))
    for index, source in enumerate(spec.profiles):
        found.append((f"profiles[{index}].configMap", source.config_map, "give path, the file of the profile, instead"))
        found.append((f"profiles[{index}].url", source.url, "give path, the file of the profile, instead"))
    for name, value, remedy in found:
        if value:
            yield DocumentProblem(f"$.spec.{name}", "works in a cluster only", remedy)


def resource_problems(spec: Spec) -> Iterator[DocumentProblem]:
    """Yield a problem for a missing target, and for each setting that names a file.

    The file would be one of the controller, which the author of a resource must not reach.
    """
    if spec.target_ref is None:
        yield DocumentProblem("$.spec.targetRef", "is missing", "name the workload, such as a Deployment")
    for index, source in enumerate(spec.profiles):
        if source.path is not None:
            remedy = "give configMap, url or learn instead"
            yield DocumentProblem(f"$.spec.profiles[{index}].path", "works in a local file only", remedy)
    for path, webhook in webhooks(spec):
        for name, value, remedy in (
            ("urlFile", webhook.url_file, "give url or urlSecretRef instead"),
            ("secretFile", webhook.secret_file, "give secretRef instead"),
        ):
            if value is not None:
                yield DocumentProblem(f"$.{path}.{name}", "works in a local file only", remedy)


def retrain_targets(retrain: Retrain) -> dict[str, object]:
    """Return what `retrain` names to request a retraining, by key of the document; a valid document has one."""
    found = {item.encode_name: getattr(retrain, item.name) for item in fields(Retrain) if item.name in RETRAIN_TARGETS}
    return {name: value for name, value in found.items() if value is not None}


def webhooks(spec: Spec) -> Iterator[tuple[str, Webhook]]:
    """Yield each webhook of the document with its path, such as `spec.notify[0].webhook`."""
    if spec.retrain and spec.retrain.webhook:
        yield "spec.retrain.webhook", spec.retrain.webhook
    for index, item in enumerate(spec.notify):
        yield f"spec.notify[{index}].webhook", item.webhook
