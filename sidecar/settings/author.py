"""The policy on authors of a ModelMonitor, committed as helm/files/modelmonitor-author.yaml.

The controller acts for the author of a monitor, so writing one must give no rights: the policy asks the API server
whether the author could do the same. The API server bounds the cost of CEL: an expression can make two checks, and the
expressions of one policy 28. So each check is an expression of its own, and there are three policies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .crd import GROUP, HEADER, PLURAL, to_yaml

NAME = "modelmonitor-author"
MOST_NAMES = 24  # Secrets or ConfigMaps that are checked by name, as many as the bounded cost allows

Validation = dict[str, str]

_HERE = "namespace(request.namespace)"
_TARGET_GROUP = "object.spec.targetRef.apiVersion.contains('/') ? object.spec.targetRef.apiVersion.split('/')[0] : ''"
_TARGET_PLURAL = "object.spec.targetRef.kind.lowerAscii() + 's'"
_KSERVE = "object.spec.targetRef.apiVersion.startsWith('serving.kserve.io/')"  # kinds without a scale subresource
_SECRETS = " + ".join(
    f"(has(object.spec.retrain) && has(object.spec.retrain.webhook) && has(object.spec.retrain.webhook.{key})"
    f" ? [object.spec.retrain.webhook.{key}.name] : [])"
    f" + (has(object.spec.notify) ? object.spec.notify.filter(item, has(item.webhook.{key}))"
    f".map(item, item.webhook.{key}.name) : [])"
    for key in ("secretRef", "urlSecretRef")
)
_CONFIG_MAPS = (
    "has(object.spec.profiles) ? object.spec.profiles.filter(item, has(item.configMap)).map(item, item.configMap) : []"
)
# key of spec.retrain: group and plural of the object that the controller creates, key, group and plural of its template
_CREATED = {
    "job": ("batch", "jobs", "cronJob", "batch", "cronjobs"),
    "argoWorkflow": ("argoproj.io", "workflows", "workflowTemplate", "argoproj.io", "workflowtemplates"),
    "tektonPipelineRun": ("tekton.dev", "pipelineruns", "pipeline", "tekton.dev", "pipelines"),
}


def policy_text() -> str:
    """Return the policies and their bindings as YAML."""
    documents = [
        *_policy("", [], [*_created(), *_changed()]),
        *_policy("-configmaps", [("names", _CONFIG_MAPS)], _named("configmaps", MOST_NAMES)),
        *_policy("-secrets", [("names", _SECRETS)], _named("secrets", MOST_NAMES)),
    ]
    return HEADER.format("--policy") + "---\n".join(map(to_yaml, documents))


def _policy(
    suffix: str, variables: Sequence[tuple[str, str]], validations: Sequence[Validation]
) -> list[dict[str, Any]]:
    """Return a policy and its binding."""
    admission = "admissionregistration.k8s.io/v1"
    metadata = {"name": f"{NAME}{suffix}.{GROUP}"}
    rule = {
        "apiGroups": [GROUP],
        "apiVersions": ["*"],
        "operations": ["CREATE", "UPDATE"],
        "resources": [PLURAL],
    }
    changed = "request.operation == 'CREATE' || !has(oldObject.spec) || object.spec != oldObject.spec"
    spec: dict[str, Any] = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule]},
        "matchConditions": [{"name": "spec-changed", "expression": changed}],
    }
    if variables:
        spec["variables"] = [{"name": name, "expression": expression} for name, expression in variables]
    spec["validations"] = list(validations)
    return [
        {"apiVersion": admission, "kind": "ValidatingAdmissionPolicy", "metadata": metadata, "spec": spec},
        {
            "apiVersion": admission,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": metadata,
            "spec": {"policyName": metadata["name"], "validationActions": ["Deny"]},
        },
    ]


def _created() -> Iterator[Validation]:
    """Yield the checks of what a retraining creates, and of what it reads for that."""
    for key, (group, plural, template, template_group, templates) in _CREATED.items():
        given = f"!has(object.spec.retrain) || !has(object.spec.retrain.{key})"
        block, name = f"spec.retrain.{key}", f"object.spec.retrain.{key}.{template}"
        check = f"authorizer.group('{group}').resource('{plural}').{_HERE}.check('create').allowed()"
        yield _validation(f"{given} || {check}", block, f"'create {plural}.{group}'")
        named = f"authorizer.group('{template_group}').resource('{templates}').{_HERE}.name({name})"
        wanted = f"'get {templates}.{template_group} ' + {name}"
        yield _validation(f"{given} || {named}.check('get').allowed()", f"{block}.{template}", wanted)


def _changed() -> Iterator[Validation]:
    """Yield the checks of what scaling and resources change."""
    name = "object.spec.targetRef.name"
    target = f"authorizer.group({_TARGET_GROUP}).resource({_TARGET_PLURAL})"
    without = (
        "!has(object.spec.scaling) || (has(object.spec.scaling.surface) && object.spec.scaling.surface == 'metric') || "
    )
    scale = f"{target}.subresource('scale').{_HERE}.name({name}).check('update').allowed()"
    wanted = f"'update scale of ' + {_TARGET_PLURAL} + ' ' + {name}"
    yield _validation(f"{without}{_KSERVE} || {scale}", "spec.scaling", wanted)
    patch = f"{target}.{_HERE}.name({name}).check('patch').allowed()"
    yield _validation(
        f"{without}!({_KSERVE}) || {patch}", "spec.scaling", f"'patch ' + {_TARGET_PLURAL} + ' ' + {name}"
    )
    resize = f"authorizer.group('').resource('pods').subresource('resize').{_HERE}.check('patch').allowed()"
    rolled_out = (
        "(has(object.spec.resources) && has(object.spec.resources.method) && object.spec.resources.method == 'rollout')"
    )
    yield _validation(
        f"!has(object.spec.resources) || {rolled_out} || {resize}", "spec.resources", "'patch pods/resize'"
    )
    yield _validation(f"!{rolled_out} || {patch}", "spec.resources", f"'patch ' + {_TARGET_PLURAL} + ' ' + {name}")


def _named(plural: str, most: int) -> list[Validation]:
    """Return the checks of the objects in the variable `names`, and the check of all if there are more than `most`."""
    resource = f"authorizer.group('').resource('{plural}').{_HERE}"
    where = "spec.profiles" if plural == "configmaps" else "secretRef or urlSecretRef"
    found = [
        _validation(
            f"variables.names.size() <= {index} || {resource}.name(variables.names[{index}]).check('get').allowed()",
            where,
            f"'get {plural} ' + variables.names[{index}]",
        )
        for index in range(most)
    ]
    every = f"variables.names.size() <= {most} || {resource}.check('get').allowed()"
    return [*found, _validation(every, where, f"'get all {plural}, as the document names more than {most}'")]


def _validation(expression: str, where: str, wanted: str) -> Validation:
    """Return a validation whose message says what is missing at `where`; `wanted` is a CEL expression for a text."""
    message = (
        f"'{where}: ' + request.userInfo.username + ' may not do this in namespace ' + request.namespace + ': '"
        f" + {wanted} + '; have it granted, or remove the setting'"
    )
    return {"expression": expression, "messageExpression": message, "reason": "Forbidden"}
