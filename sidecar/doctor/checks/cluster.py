"""Checks of the cluster itself: versions, nodes, the kind ModelMonitor and the policy on its authors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from ...settings.crd import crd
from ..findings import ClusterFinding, Level
from ..snapshot import ClusterSnapshot, Json, name_of

SERVER = (1, 33)  # native sidecars are stable
KUBELET = (1, 29)  # native sidecars are on by default
POLICY = "modelmonitor-author"
CRD = "modelmonitors.pilotfish.dev"
_VERSION = re.compile(r"v?([0-9]+)\.([0-9]+)")


def check_versions(snapshot: ClusterSnapshot) -> Iterator[ClusterFinding]:
    """Check the versions of the API server and of the kubelets."""
    text = str(snapshot.server.get("gitVersion") or "")
    found = _version(text)
    if found is None:
        yield ClusterFinding(
            check="versions", level=Level.UNKNOWN, where="API server", what=f"its version is unreadable: {text[:40]!r}",
            remedy="compare it by hand: Pilotfish needs Kubernetes 1.33 or later",
        )  # fmt: skip
    elif found < SERVER:
        yield ClusterFinding(
            check="versions", level=Level.ERROR, where="API server", what=f"Kubernetes {text} is too old",
            remedy="upgrade to Kubernetes 1.33 or later: native sidecars are not stable before",
        )  # fmt: skip
    else:
        yield ClusterFinding(check="versions", level=Level.OK, where="API server", what=f"Kubernetes {text}")
    for node in snapshot.of("nodes"):
        info = (node.get("status") or {}).get("nodeInfo") or {}
        kubelet = str(info.get("kubeletVersion") or "")
        if info.get("operatingSystem") != "windows" and (_version(kubelet) or SERVER) < KUBELET:
            yield ClusterFinding(
                check="versions", level=Level.ERROR, where=f"node/{name_of(node)}",
                what=f"kubelet {kubelet} has no native sidecars: injected pods do not start there",
                remedy="upgrade the node, or keep injected pods away by a node selector",
            )  # fmt: skip


def check_kinds(snapshot: ClusterSnapshot) -> Iterator[ClusterFinding]:
    """Check the kind ModelMonitor against the one of this version, and the policy on its authors."""
    if "customresourcedefinitions" not in snapshot.unreadable:
        found = snapshot.named("customresourcedefinitions", CRD)
        yield _kind(found, snapshot.version)
    if "validatingadmissionpolicybindings" not in snapshot.unreadable and not any(
        POLICY in str((item.get("spec") or {}).get("policyName"))
        for item in snapshot.of("validatingadmissionpolicybindings")
    ):
        yield ClusterFinding(
            check="kinds", level=Level.WARNING, where=f"validatingadmissionpolicybinding/{POLICY}",
            what="the policy on authors is missing: who writes a ModelMonitor gains rights of the controller",
            remedy="pilotfish schema --policy | kubectl apply --server-side -f -",
        )  # fmt: skip


def _kind(found: Json | None, version: str) -> ClusterFinding:
    where, remedy = f"customresourcedefinition/{CRD}", "pilotfish schema --crd | kubectl apply --server-side -f -"
    if found is None:
        return ClusterFinding(
            check="kinds", level=Level.ERROR, where=where, what="the kind ModelMonitor is not installed", remedy=remedy
        )
    conditions = {item.get("type"): item.get("status") for item in (found.get("status") or {}).get("conditions") or ()}
    if conditions.get("Established") == "False":
        what = "the kind ModelMonitor is not served (condition Established is False)"
        return ClusterFinding(
            check="kinds", level=Level.ERROR, where=where, what=what, remedy=f"kubectl describe crd {CRD}"
        )
    own = _own()
    different = sorted(_different(_schema(own), _schema(found), "spec"))
    if different:
        shown = ", ".join(different[:3]) + (f" and {len(different) - 3} more" if len(different) > 3 else "")
        what = f"the kind ModelMonitor is that of another version than {version}: {shown}"
        return ClusterFinding(check="kinds", level=Level.WARNING, where=where, what=what, remedy=remedy)
    return ClusterFinding(
        check="kinds", level=Level.OK, where=where, what=f"the kind ModelMonitor of version {version}"
    )


@cache
def _own() -> Any:
    """Return the kind of this version as JSON."""
    return json.loads(json.dumps(crd()))


def _schema(crd: Json) -> Any:
    versions: Any = (crd.get("spec") or {}).get("versions") or ({},)
    schema = ((versions[0].get("schema") or {}).get("openAPIV3Schema")) or {}
    return (schema.get("properties") or {}).get("spec") or {}


def _different(own: Any, other: Any, path: str) -> Iterator[str]:
    """Yield the paths of settings that only one of two schemas has, or that differ otherwise."""
    mine, theirs = own.get("properties") or {}, other.get("properties") or {}
    if not mine or not theirs:
        if own != other:
            yield path
        return
    for name in sorted({*mine, *theirs}):
        inner = f"{path}.{name}"
        if name not in mine or name not in theirs:
            yield inner
        else:
            yield from _different(mine[name], theirs[name], inner)


def _version(text: str) -> tuple[int, int] | None:
    found = _VERSION.match(text)
    return (int(found[1]), int(found[2])) if found else None
