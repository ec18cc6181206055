"""The rights that doctor asks for are those of the manifests."""

from __future__ import annotations

from pilotfish.sidecar.doctor.app import wanted_rights
from pilotfish.sidecar.doctor.rights import needed, review_of
from pilotfish.sidecar.doctor.snapshot import Right


def test_each_right_of_the_roles_is_asked_for_in_the_namespace_of_its_binding() -> None:
    found = wanted_rights("elsewhere")
    assert len(set(found)) == len(found) > 40
    assert Right("pilotfish-injector", "watch", "", "services") in found
    assert Right("pilotfish-control", "patch", "pilotfish.dev", "modelmonitors/status") in found
    assert Right("pilotfish-control", "update", "", "secrets", "pilotfish-ca", "elsewhere") in found


def test_a_review_names_the_account_and_its_groups() -> None:
    spec = review_of(Right("a", "patch", "g", "pods/status", "n", "here"), "elsewhere")["spec"]
    assert spec["user"] == "system:serviceaccount:elsewhere:a"
    assert "system:serviceaccounts:elsewhere" in spec["groups"]
    assert spec["resourceAttributes"] == {
        "group": "g", "name": "n", "namespace": "here", "resource": "pods", "subresource": "status", "verb": "patch",
    }  # fmt: skip


def test_options_of_the_servers_change_what_they_need() -> None:
    rights = [
        Right("pilotfish-control", "list", "", "pods"),
        Right("pilotfish-control", "create", "authentication.k8s.io", "tokenreviews"),
        Right("pilotfish-control", "get", "", "secrets", "pilotfish-ca", "system"),
        Right("pilotfish-injector", "list", "", "services"),
    ]
    args = ["control", "--watch-namespace=models", "--tls-cert=/tls.crt"]
    server = {
        "metadata": {"name": "pilotfish-control"},
        "spec": {"template": {"spec": {"containers": [{"args": args}]}}},
    }
    watched = Right("pilotfish-control", "list", "", "pods", namespace="models")
    assert [*needed(rights, [server])] == [watched, rights[1], rights[3]]
    assert [*needed(rights, [])] == rights
