"""The command `pilotfish manifests`: the installation as plain YAML, for clusters without Helm.

The manifests are the kind ModelMonitor, the policy on its authors, and the rendering of the chart with its default
values. Only what every installation must choose can be
replaced: the namespace, the images, the number of replicas, and what happens while no injector answers. Everything else
is a value of the chart: render it with `helm template`, or patch the output with Kustomize.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import re
from typing import Any

from ...errors import UsageError, quote_value
from ...settings.author import policy_text
from ...settings.crd import crd_text
from ...terminal import show_document
from .documents import read
from .edit import rewrite
from .images import Images, package_text

DATA = "manifests.yaml"
NAMESPACE = "pilotfish-system"
SIDECAR = "sidecar.yaml"
MONITOR_WEBHOOK = "monitor.pilotfish.dev"
CHECKSUM = "pilotfish.dev/sidecar-checksum"
MAX_REPLICAS = 100
_IMAGE = re.compile(r'(\bimage: )("?)(pilotfish(?:-redirect)?):[^\s"]+\2')
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `pilotfish manifests`."""
    add = parser.add_argument
    add("--namespace", default=NAMESPACE, metavar="NAME", help="namespace of the installation (default %(default)s)")
    Images.add_arguments(add)
    add("--replicas", type=int, metavar="N", help="replicas of controller and injector, each (default 2)")
    add(
        "--failure-policy", choices=("Ignore", "Fail"), metavar="POLICY",
        help="Ignore admits pods without sidecars while no injector answers, Fail refuses them (default Ignore)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Print the manifests; return 0."""
    given = {"replicas": args.replicas, "failure_policy": args.failure_policy or ""}
    objects = render(package_text(DATA), args.namespace, Images.of(args), **given)
    show_document("---\n".join([_namespace(args.namespace), crd_text(), policy_text(), objects]))
    return 0


def render(text: str, namespace: str, images: Images, *, replicas: int | None = None, failure_policy: str = "") -> str:
    """Return the objects `text` of an installation for another namespace and other images; raise UsageError."""
    if not _LABEL.fullmatch(namespace) or namespace.startswith("kube-"):
        raise UsageError(
            f"--namespace cannot be used: {quote_value(namespace)}; give at most 63 lower-case letters, digits and "
            "hyphens, and no namespace of Kubernetes itself"
        )
    if replicas is not None and not 1 <= replicas <= MAX_REPLICAS:
        raise UsageError(f"--replicas is {replicas}; give 1 to {MAX_REPLICAS}")
    original = text
    text = _word(NAMESPACE).sub(namespace, text)
    chosen = {"pilotfish": images.image, "pilotfish-redirect": images.redirect}
    text = _IMAGE.sub(lambda found: f'{found[1]}"{chosen[found[3]]}"' if chosen[found[3]] else found[0], text)
    return _edited(text, replicas, failure_policy, substituted=text != original)


def _word(word: str) -> re.Pattern[str]:
    """Return a pattern that finds `word`, but not as a part of another name."""
    return re.compile(rf"(?<![\w-]){re.escape(word)}(?![\w-])")


def _namespace(name: str) -> str:
    return (
        f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n  labels:\n"
        "    pod-security.kubernetes.io/enforce: restricted\n"
    )


def _edited(text: str, replicas: int | None, failure_policy: str, *, substituted: bool) -> str:
    """Return the text with replicas and failure policy, and with a new checksum if the template was `substituted`."""
    documents = read(text, "the manifests of this version")
    templates = [((one.value.get("data") or {}).get(SIDECAR) or "") for one in documents]
    checksum = hashlib.sha256("".join(templates).encode()).hexdigest() if substituted else ""
    pieces, at = [], 0
    for document in documents:
        wanted = copy.deepcopy(document.value)
        if wanted["kind"] == "Deployment":
            _set_deployment(wanted, replicas, checksum)
        elif wanted["kind"] == "MutatingWebhookConfiguration" and failure_policy:
            for webhook in wanted["webhooks"]:
                if webhook["name"] != MONITOR_WEBHOOK:  # it sees pods of everybody
                    webhook["failurePolicy"] = failure_policy
        if wanted != document.value:
            pieces += [text[at : document.start], rewrite(text, document, wanted).text]
            at = document.end
    return "".join([*pieces, text[at:]])


def _set_deployment(wanted: dict[str, Any], replicas: int | None, checksum: str) -> None:
    if replicas is not None:
        wanted["spec"]["replicas"] = replicas
    annotations = wanted["spec"]["template"]["metadata"].get("annotations") or {}
    if checksum and CHECKSUM in annotations:  # the injector reads its template at its start
        annotations[CHECKSUM] = checksum
