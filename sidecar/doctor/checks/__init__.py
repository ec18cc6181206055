"""The checks, in the order in which their findings are printed; each is pure and reads the snapshot only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from ...errors import error_location
from ..findings import ClusterFinding, Level
from ..snapshot import ClusterSnapshot
from . import admission, cluster, monitors, owners, peers, pods, release, services

Check = Callable[[ClusterSnapshot], Iterator[ClusterFinding]]

CHECKS: Mapping[str, tuple[Check, ...]] = {
    "versions": (cluster.check_versions,),
    "kinds": (cluster.check_kinds,),
    "servers": (release.check_servers, release.check_nodes),
    "leader": (release.check_leader,),
    "rights": (release.check_rights,),
    "webhook": (release.check_webhook,),
    "certificates": (release.check_certificates,),
    "injected": (pods.check_namespaces, pods.check_injected),
    "current": (pods.check_current,),
    "services": (services.check_routes,),
    "monitors": (monitors.check_monitors,),
    "owners": (owners.check_autoscalers, owners.check_gitops),
    "admission": (admission.check_redirect, admission.check_quotas),
    "peers": (peers.check_peers,),
}


def findings(snapshot: ClusterSnapshot) -> Iterator[ClusterFinding]:
    """Yield what all checks find, and what could not be read."""
    for name, why in sorted(snapshot.unreadable.items()):
        remedy = "run doctor as an account that may list them"
        yield ClusterFinding(
            check="access", level=Level.UNKNOWN, where=name, what=f"cannot be read: {why}", remedy=remedy
        )
    for name, checks in CHECKS.items():
        for check in checks:
            try:
                yield from check(snapshot)
            except Exception as error:  # one check must not hide what the others find
                what = f"the check failed: {type(error).__name__} at {error_location(error)}"
                remedy = "report it as a fault of pilotfish doctor"
                yield ClusterFinding(check=name, level=Level.UNKNOWN, where="doctor", what=what, remedy=remedy)
