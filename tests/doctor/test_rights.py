"""The rights that doctor asks for are those of the manifests."""

from __future__ import annotations

from pilotfish.sidecar.doctor.app import wanted_rights
from pilotfish.sidecar.doctor.rights import review_of
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
