"""The rights of controller and injector: every verb that the roles of this version's manifests grant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from .snapshot import Json, Right

_REVIEWS = {"authentication.k8s.io", "authorization.k8s.io"}  # their objects have no namespace


def rights_of(manifests: Iterable[Json], release: str) -> Iterator[Right]:
    """Yield each right that a role in `manifests` grants to an account of the namespace `release`, once."""
    found = list(manifests)
    roles = {
        (role["kind"], _namespace(role), role["metadata"]["name"]): role.get("rules") or ()
        for role in found
        if role["kind"] in {"ClusterRole", "Role"}
    }
    rights = (
        right
        for binding in found
        if binding["kind"] in {"ClusterRoleBinding", "RoleBinding"}
        for subject in binding.get("subjects") or ()
        if subject.get("kind") == "ServiceAccount" and subject.get("namespace") == release
        for rule in roles.get(_role(binding), ())
        for right in _of_rule(rule, subject["name"], _namespace(binding))
    )
    yield from dict.fromkeys(rights)


def _role(binding: Json) -> tuple[str, str, str]:
    reference = binding["roleRef"]
    return reference["kind"], "" if reference["kind"] == "ClusterRole" else _namespace(binding), reference["name"]


def _of_rule(rule: Json, account: str, namespace: str) -> Iterator[Right]:
    for group in rule.get("apiGroups") or ():
        for resource in rule.get("resources") or ():
            for verb in rule.get("verbs") or ():
                for name in rule.get("resourceNames") or ("",):
                    yield Right(account, verb, group, resource, name, namespace)


def review_of(right: Right, release: str) -> dict[str, Any]:
    """Return the SubjectAccessReview that asks for a right of an account of the namespace `release`."""
    resource, _, subresource = right.resource.partition("/")
    attributes = {
        "group": right.group,
        "name": right.name,
        "namespace": right.namespace,
        "resource": resource,
        "subresource": subresource,
        "verb": right.verb,
    }
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{release}", "system:authenticated"]
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "groups": groups,
            "resourceAttributes": {key: value for key, value in attributes.items() if value},
            "user": f"system:serviceaccount:{release}:{right.account}",
        },
    }


def _namespace(item: Json) -> str:
    return str(item["metadata"].get("namespace") or "")


def needed(rights: Iterable[Right], servers: Iterable[Json]) -> Iterator[Right]:
    """Yield the rights that the `servers`, Deployments of the installation, need with their options.

    With `--watch-namespace`, a server needs the rights on namespaced objects in that namespace only. With certificates
    of cert-manager, no server needs the Secret of the authority.
    """
    options = {str(server["metadata"]["name"]): _options(server) for server in servers}
    for right in rights:
        own = options.get(right.account, {})
        watched = own.get("--watch-namespace", "")
        if "--tls-cert" in own and right.resource == "secrets":
            continue
        if watched and not right.namespace and right.group not in _REVIEWS:
            yield replace(right, namespace=watched)
        else:
            yield right


def _options(server: Json) -> dict[str, str]:
    pod = ((server.get("spec") or {}).get("template") or {}).get("spec") or {}
    words = (str(word) for container in pod.get("containers") or () for word in container.get("args") or ())
    return {name: value for name, _, value in (word.partition("=") for word in words)}
