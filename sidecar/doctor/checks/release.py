"""Checks of the installation: replicas, leader, webhook, certificates, rights."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from datetime import datetime, timedelta

from ...certificates.errors import CertificateError
from ...certificates.expiry import BundledCertificate, read_bundle
from ...errors import number
from ...inject.names import INJECTION
from ..findings import ClusterFinding, Level
from ..snapshot import ClusterSnapshot, Json, annotations_of, name_of, namespace_of

CONTROL, INJECTOR, NODE = "pilotfish-control", "pilotfish-injector", "pilotfish-node"
COMPONENT = "app.kubernetes.io/component=node"
SOON = timedelta(days=14)  # the injector renews its authority months before
_INSTALL = "install Pilotfish: helm install pilotfish ./helm --namespace {0} --create-namespace, or pilotfish manifests"


def check_servers(snapshot: ClusterSnapshot) -> Iterator[ClusterFinding]:
    """Check that replicas of controller and injector are available."""
    if "servers" in snapshot.unreadable:
        return
    for name in (CONTROL, INJECTOR):
        where = f"{snapshot.release}/deployment/{name}"
        found = snapshot.named("servers", name)
        if found is None:
            level = Level.ERROR if name == CONTROL else Level.WARNING
            what = f"{name} is not installed in namespace {snapshot.release}"
            remedy = _INSTALL.format(snapshot.release)
            if name == INJECTOR:
                remedy += "; or add the sidecars by `pilotfish inject -f`"
            yield ClusterFinding(check="servers", level=level, where=where, what=what, remedy=remedy)
            continue
        wanted = int((found.get("spec") or {}).get("replicas", 1))
        ready = int((found.get("status") or {}).get("availableReplicas") or 0)
        level = Level.OK if ready >= wanted > 0 else Level.WARNING if ready else Level.ERROR
        remedy = (
            ""
            if level is Level.OK
            else f"kubectl -n {snapshot.release} describe deployment,pods -l app.kubernetes.io/name=pilotfish"
        )
        yield ClusterFinding(
            check="servers", level=level, where=where, what=f"{ready} of {wanted} replicas are available", remedy=remedy
        )


def check_nodes(snapshot: ClusterSnapshot) -> Iterator[ClusterFinding]:
    """Check that the Pilotfish of the nodes is ready on each of its nodes, where it is installed."""
    found = snapshot.named("daemonsets", NODE)
    if found is None:
        return
    status = found.get("status") or {}
    wanted, ready = (int(status.get(name) or 0) for name in ("desiredNumberScheduled", "numberReady"))
    where = f"{snapshot.release}/daemonset/{NODE}"
    what, remedy, level = f"it is ready on {ready} of {number(wanted, 'node')}", "", Level.OK
    if not wanted:
        level, what = Level.WARNING, "no node matches node.nodeSelector, so all pods use the recording rules"
        remedy = "compare node.nodeSelector and node.tolerations with the labels and taints of the nodes"
    elif ready < wanted:
        level, remedy = Level.WARNING, f"kubectl -n {snapshot.release} describe daemonset,pods -l {COMPONENT}"
    yield ClusterFinding(check="servers", level=level, where=where, what=what, remedy=remedy)


def check_leader(snapshot: ClusterSnapshot) -> Iterator[ClusterFinding]:
    """Check that a replica of the controller leads."""
    if "leases" in snapshot.unreadable or snapshot.named("servers", CONTROL) is None:
        return
    where = f"{snapshot.release}/lease/{CONTROL}"
    spec = (snapshot.named("leases", CONTROL) or {}).get("spec") or {}
    renewed = _time(spec.get("renewTime"))
    length = timedelta(seconds=float(spec.get("leaseDurationSeconds") or 15))
    remedy = f"kubectl -n {snapshot.release} logs deployment/{CONTROL}"
    if not spec.get("holderIdentity") or renewed is None:
        what = "no replica of the controller leads: nothing is detected over all pods of a model"
        yield ClusterFinding(check="leader", level=Level.ERROR, where=where, what=what, remedy=remedy)
    elif snapshot.now - renewed > 3 * length:
        what = f"the leader {spec['holderIdentity']} has not renewed the Lease since {renewed:%Y-%m-%d %H:%M:%S} UTC"
        yield ClusterFinding(check="leader", level=Level.ERROR, where=where, what=what, remedy=remedy)
    else:
        yield ClusterFinding(check="leader", level=Level.OK, where=where, what=f"{spec['holderIdentity']} leads")


def check_webhook(snapshot: ClusterSnapshot) -> Iterator[ClusterFinding]:
    """Check the configuration of the webhook, its endpoints, and its answer to the trial pod."""
    where = f"mutatingwebhookconfiguration/{INJECTOR}"
    if "mutatingwebhookconfigurations" in snapshot.unreadable:
        return
    found = snapshot.named("mutatingwebhookconfigurations", INJECTOR)
    if found is None:
        if snapshot.named("servers", INJECTOR) is not None:
            what, remedy = "the webhook is not registered: no pod gets the sidecars", _INSTALL.format(snapshot.release)
            yield ClusterFinding(check="webhook", level=Level.ERROR, where=where, what=what, remedy=remedy)
        return
    bundle = _authority(snapshot, snapshot.release)
    restart = f"kubectl -n {snapshot.release} rollout restart deployment/{INJECTOR}"
    for webhook in found.get("webhooks") or ():
        client = webhook.get("clientConfig") or {}
        problem = _bundle_problem(str(client.get("caBundle") or ""), bundle)
        if problem:
            what = f"{webhook.get('name')}: {problem}; the API server cannot verify the injector"
            yield ClusterFinding(check="webhook", level=Level.ERROR, where=where, what=what, remedy=restart)
    yield from _endpoints(snapshot)
    yield _answer(snapshot, where)


def _bundle_problem(encoded: str, bundle: str) -> str:
    """Return what is wrong with the caBundle of a webhook, empty if nothing is."""
    if not encoded:
        return "its caBundle is empty"
    try:
        own = {one.fingerprint for one in read_bundle(base64.b64decode(encoded, validate=True))}
        published = {one.fingerprint for one in read_bundle(bundle.encode())} if bundle else own
    except (binascii.Error, ValueError):
        return "its caBundle is not Base64"
    except CertificateError as error:
        return str(error)
    return "" if own & published else "its caBundle is of another authority than the ConfigMap pilotfish-ca"


def _endpoints(snapshot: ClusterSnapshot) -> Iterator[ClusterFinding]:
    if "endpointslices" in snapshot.unreadable:
        return
    slices = [
        item
        for item in snapshot.of("endpointslices")
        if ((item.get("metadata") or {}).get("labels") or {}).get("kubernetes.io/service-name") == INJECTOR
    ]
    ready = [
        endpoint
        for item in slices
        for endpoint in item.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready") is not False
    ]
    if not ready:
        where, what = f"{snapshot.release}/service/{INJECTOR}", "the Service of the webhook has no ready endpoint"
        remedy = f"kubectl -n {snapshot.release} get pods,endpointslices"
        yield ClusterFinding(check="webhook", level=Level.ERROR, where=where, what=what, remedy=remedy)


def _answer(snapshot: ClusterSnapshot, where: str) -> ClusterFinding:
    trial = snapshot.trial
    if trial is None:
        what = "no pod may be created as a dry run, so the answer of the webhook is unknown"
        remedy = "run doctor as an account that may create pods"
        return ClusterFinding(check="webhook", level=Level.UNKNOWN, where=where, what=what, remedy=remedy)
    place = f"namespace {trial.namespace}"
    if trial.pod is None:
        what = f"a trial pod was refused in {place}: {trial.problem}"
        remedy = "give another namespace with -n, or mend what the message names"
        return ClusterFinding(check="webhook", level=Level.WARNING, where=where, what=what, remedy=remedy)
    if INJECTION not in annotations_of(trial.pod):
        what = f"the webhook did not answer for a trial pod in {place}: pods start without sidecars"
        remedy = (
            f"kubectl -n {snapshot.release} logs deployment/{INJECTOR}; let the API server reach port 8443 of the "
            "injector (firewall of the nodes, NetworkPolicy)"
        )
        return ClusterFinding(check="webhook", level=Level.ERROR, where=where, what=what, remedy=remedy)
    return ClusterFinding(
        check="webhook", level=Level.OK, where=where, what=f"the webhook answers for a trial pod in {place}"
    )


def check_certificates(snapshot: ClusterSnapshot) -> Iterator[ClusterFinding]:
    """Check the ends of the certificates that pods trust, and that each namespace has the present ones."""
    own = _authority(snapshot, snapshot.release) or _of_webhook(snapshot)
    try:
        current = read_bundle(own.encode()) if own else ()
    except CertificateError as error:
        where = f"{snapshot.release}/configmap/pilotfish-ca"
        remedy = f"kubectl -n {snapshot.release} rollout restart deployment/{INJECTOR}"
        yield ClusterFinding(check="certificates", level=Level.ERROR, where=where, what=str(error), remedy=remedy)
        return
    if current:
        yield _expiry(snapshot, current)
    known = {one.fingerprint for one in current}
    for item in snapshot.of("authorities"):
        where = f"{namespace_of(item)}/configmap/{name_of(item)}"
        try:
            trusted = {one.fingerprint for one in read_bundle(_data(item).encode())}
        except CertificateError as error:
            what, level = str(error), Level.ERROR
        else:
            if not known or trusted & known:
                continue
            what, level = "pods of the namespace trust another authority than the controller's", Level.ERROR
        remedy = f"kubectl -n {namespace_of(item)} delete configmap pilotfish-ca; the injector writes it again"
        yield ClusterFinding(check="certificates", level=level, where=where, what=what, remedy=remedy)


def _expiry(snapshot: ClusterSnapshot, current: tuple[BundledCertificate, ...]) -> ClusterFinding:
    last = max(one.ends for one in current)
    where, what = f"namespace/{snapshot.release}", f"the authority is valid until {last:%Y-%m-%d}"
    if last - snapshot.now > SOON:
        return ClusterFinding(check="certificates", level=Level.OK, where=where, what=what)
    over = last <= snapshot.now
    what = f"the authority {'ended' if over else 'ends'} on {last:%Y-%m-%d} and was not replaced"
    remedy = (
        f"kubectl -n {snapshot.release} logs deployment/{INJECTOR}; with cert-manager, kubectl describe certificate"
    )
    return ClusterFinding(
        check="certificates", level=Level.ERROR if over else Level.WARNING, where=where, what=what, remedy=remedy
    )


def check_rights(snapshot: ClusterSnapshot) -> Iterator[ClusterFinding]:
    """Check that controller and injector have the rights of this version's roles."""
    accounts = sorted({right.account for right in snapshot.rights})
    for account in accounts:
        if snapshot.named("servers", account) is None:
            continue
        own = {right: granted for right, granted in snapshot.rights.items() if right.account == account}
        where = f"{snapshot.release}/serviceaccount/{account}"
        for right in (right for right, granted in own.items() if granted is False):
            what, remedy = (
                f"it may not {right}",
                "install the roles of this version again (helm upgrade), or grant the right",
            )
            yield ClusterFinding(check="rights", level=Level.ERROR, where=where, what=what, remedy=remedy)
        unknown = sum(granted is None for granted in own.values())
        if unknown:
            what = f"{unknown} of {len(own)} rights could not be asked for"
            remedy = "run doctor as an account that may create subjectaccessreviews.authorization.k8s.io"
            yield ClusterFinding(check="rights", level=Level.UNKNOWN, where=where, what=what, remedy=remedy)
        elif all(own.values()):
            yield ClusterFinding(check="rights", level=Level.OK, where=where, what=f"it has all {len(own)} rights")


def _authority(snapshot: ClusterSnapshot, namespace: str) -> str:
    found = snapshot.named("authorities", "pilotfish-ca", namespace)
    return _data(found) if found else ""


def _data(item: Json) -> str:
    return str((item.get("data") or {}).get("ca.crt") or "")


def _of_webhook(snapshot: ClusterSnapshot) -> str:
    """Return the bundle of the webhook as PEM, empty if there is none."""
    found = snapshot.named("mutatingwebhookconfigurations", INJECTOR) or {}
    for webhook in found.get("webhooks") or ():
        encoded = str((webhook.get("clientConfig") or {}).get("caBundle") or "")
        try:
            return base64.b64decode(encoded, validate=True).decode("ascii")
        except (binascii.Error, ValueError):
            continue
    return ""


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None
