"""The command `pilotfish inject`: adds the sidecars to workloads in files, without a webhook."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...kube.configuration import add_kubeconfig_arguments
from ...system.files import read_file
from ...terminal import show_document, show_error
from ..context import Context
from ..injection import inject
from ..patching import apply
from ..plan import InterceptionMode
from ..reasons import InjectionReason
from ..template import SidecarTemplate
from .documents import MAX_BYTES, ManifestDocument, decode, read
from .edit import rewrite
from .errors import ManifestError
from .images import Images, load_template
from .shapes import without_nulls
from .surroundings import Surroundings
from .workloads import CONTROLLED, TEMPLATES, ManifestObject, Workload, objects, workload

REFUSED_STATUS = 1
STANDARD_INPUT = "-"
CONTROLLED_REMEDY = (
    "its controller writes the pods; install the webhook and label the namespace pilotfish.dev/inject=all, or let the "
    "controller label the pods pilotfish.dev/inject=true"
)
NO_TEMPLATE = "it has no pod template; give the workload that it refers to"
WRITTEN_ANEW = "it was rewritten as a whole, so its comments are lost and its aliases are written out"
# Nothing is missing for these reasons: the pod has the sidecars, or does not want them.
_INTENDED = {InjectionReason.ALREADY_INJECTED, InjectionReason.NOT_SELECTED, InjectionReason.OPTED_OUT}


@dataclass(frozen=True, eq=False)
class _Input:
    """One file, with its objects."""

    where: str
    text: str
    documents: list[ManifestDocument]
    objects: list[ManifestObject]


@dataclass(frozen=True)
class _Outcome:
    """What became of a workload, for standard error, and whether something that was asked for is missing."""

    line: str
    failed: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `pilotfish inject`."""
    add = parser.add_argument
    add(
        "-f", "--file", action="append", required=True, metavar="FILE",
        help="manifests, YAML or JSON, with any number of documents; - is standard input; may be repeated. Workloads "
        "are printed with the sidecars; Services, InferencePools, ModelMonitors and Namespaces say how",
    )  # fmt: skip
    add(
        "-n", "--namespace", default="default", metavar="NAME",
        help="namespace of the objects that do not name one (default %(default)s)",
    )  # fmt: skip
    add("--template", type=Path, metavar="FILE", help="sidecar.yaml of an installation (default: that of this version)")
    Images.add_arguments(add)
    add(
        "--cluster", action="store_true",
        help="read Services, monitors, quotas and the template of the sidecars from the cluster, too",
    )  # fmt: skip
    add_kubeconfig_arguments(parser, "for --cluster, which it implies")
    add(
        "--release-namespace", default="pilotfish-system", metavar="NAME",
        help="namespace of the installation (default %(default)s)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Print the documents with the sidecars, and on standard error what was done; return 1 if something is missing."""
    inputs = [_read(name, args.namespace) for name in args.file]
    surroundings, text = _of_cluster(args, inputs)
    for one in inputs:
        for found in one.objects:
            surroundings.add(found, one.where)
    template = load_template(args.template, text, Images.of(args))
    outcomes: list[_Outcome] = []
    for at, one in enumerate(inputs):
        if at:
            show_document("---\n")
        show_document(_patched(one, surroundings, template, args.release_namespace, outcomes))
    for outcome in outcomes:
        show_error(outcome.line)
    if not outcomes:
        kinds = ", ".join(sorted({kind for _, kind in TEMPLATES}))
        show_error(f"nothing to inject: no workload in the input; give one of {kinds}")
    return REFUSED_STATUS if not outcomes or any(outcome.failed for outcome in outcomes) else 0


def _read(name: str, namespace: str) -> _Input:
    """Return the content of a file or of standard input; raise ManifestError."""
    where = "standard input" if name == STANDARD_INPUT else name
    try:
        if name == STANDARD_INPUT:
            raw = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            raw = read_file(Path(name), MAX_BYTES, follow=True)
    except OSError as error:
        raise ManifestError(
            where, f"cannot be read ({error.strerror})", "check the path and its permissions"
        ) from error
    text = decode(raw, where)
    documents = read(text, where)
    if not documents:
        raise ManifestError(where, "no document", "give manifests of Kubernetes")
    return _Input(where, text, documents, [*objects(documents, where, namespace)])


def _of_cluster(args: argparse.Namespace, inputs: Sequence[_Input]) -> tuple[Surroundings, str]:
    """Return what the cluster says, if it is to be asked, and the text of its template."""
    if not (args.cluster or args.kubeconfig or args.context):
        return Surroundings(), ""
    from .cluster import read_cluster  # imports the Kubernetes client

    namespaces = sorted({found.namespace for one in inputs for found in one.objects if _templates(found)})
    answer = read_cluster(args.kubeconfig, args.context, namespaces, args.release_namespace)
    for text in answer.refused:
        show_error(f"not read: {text}")
    return answer.surroundings, answer.template


def _templates(found: ManifestObject) -> bool:
    return (found.group, found.kind) in TEMPLATES


def _patched(
    one: _Input, surroundings: Surroundings, template: SidecarTemplate, release: str, outcomes: list[_Outcome]
) -> str:
    """Return the text of a file with the sidecars in its workloads; append what was done to `outcomes`."""
    pieces, at = [], 0
    for document in one.documents:
        wanted = document.value
        for found in one.objects:
            if found.document is not document:
                continue
            target = workload(found, one.where)
            if (found.group, found.kind) in CONTROLLED:
                outcomes.append(_Outcome(f"{found}: not injected: {CONTROLLED_REMEDY}", failed=True))
            elif target is not None and not target.templates:
                outcomes.append(_Outcome(f"{found}: not injected: {NO_TEMPLATE}", failed=True))
            elif target is not None:
                wanted = _inject(target, wanted, surroundings.context(found, release), template, outcomes)
        if wanted is document.value:
            continue
        rewritten = rewrite(one.text, document, wanted)
        if rewritten.whole:
            outcomes.append(_Outcome(f"{one.where} (document {document.number}): {WRITTEN_ANEW}"))
        pieces += [one.text[at : document.start], rewritten.text]
        at = document.end
    return "".join([*pieces, one.text[at:]])


def _inject(target: Workload, value: Any, context: Context, template: SidecarTemplate, outcomes: list[_Outcome]) -> Any:
    """Return the value of the workload's document with the sidecars; append what was done to `outcomes`."""
    answers = []
    for path in target.templates:
        pod = _at(value, path)
        pod = {**pod, "metadata": pod.get("metadata") or {}}
        answer = inject(without_nulls(pod), context, template)
        answers.append(answer)
        if answer.mode is not InterceptionMode.NONE:
            value = _replaced(value, path, apply(pod, answer.patch))
    injected = any(answer.mode is not InterceptionMode.NONE for answer in answers)
    for path, answer in zip(target.templates, answers, strict=True):
        failed = not injected and answer.reason not in _INTENDED
        which = f" ({path[-1]})" if len(answers) > 1 else ""
        done = "not injected" if answer.mode is InterceptionMode.NONE else f"injected, {answer.mode}"
        outcomes.append(_Outcome(f"{target.found}{which}: {done} ({answer.reason}): {answer.message}", failed=failed))
    return value


def _at(value: Any, path: Iterable[str | int]) -> Any:
    for step in path:
        value = value[step]
    return value


def _replaced(value: Any, path: Sequence[str | int], new: Any) -> Any:
    """Return `value` with `new` at `path`; only what leads there is copied."""
    if not path:
        return new
    step, *rest = path
    copied: Any = [*value] if isinstance(value, list) else {**value}
    copied[step] = _replaced(value[step], rest, new)
    return copied
