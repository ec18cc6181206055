"""The command `pilotfish doctor`."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Sequence
from importlib.metadata import version

from ..inject.offline.documents import read
from ..inject.offline.images import Images, package_text
from ..inject.offline.manifests import DATA, render
from ..kube.client import Kube
from ..kube.configuration import add_kubeconfig_arguments
from ..terminal import show, show_error, show_json
from .checks import findings
from .findings import is_problem
from .gather import gather
from .page import as_json, lines
from .rights import rights_of
from .snapshot import ClusterSnapshot, Right

PROBLEM_STATUS = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `pilotfish doctor`."""
    add = parser.add_argument
    add(
        "-n", "--namespace", default="", metavar="NAME",
        help="check the models of this namespace only (default: all namespaces)",
    )  # fmt: skip
    add_kubeconfig_arguments(parser, "(default: as kubectl)")
    add(
        "--release-namespace", default="", metavar="NAME",
        help="namespace of the installation (default: that of the webhook's Service, else pilotfish-system)",
    )  # fmt: skip
    add("--output", choices=("text", "json"), default="text", help="form of the findings (default %(default)s)")


def run(args: argparse.Namespace) -> int:
    """Print what the checks find; return 0 without a problem, 1 with one. Progress goes to standard error."""
    snapshot, host = asyncio.run(_gather(args, lambda line: show_error(f"... {line}")))
    found = list(findings(snapshot))
    if args.output == "json":
        show_json(as_json(found, snapshot, host))
    else:
        show(*lines(found, snapshot, host))
    return PROBLEM_STATUS if any(map(is_problem, found)) else 0


async def _gather(args: argparse.Namespace, progress: Callable[[str], None]) -> tuple[ClusterSnapshot, str]:
    kube = await Kube.connect(args.kubeconfig, args.context)
    try:
        snapshot = await gather(
            kube,
            release=args.release_namespace,
            version=version("pilotfish"),
            namespace=args.namespace,
            wanted=wanted_rights,
            progress=progress,
        )
        return snapshot, kube.host
    finally:
        await kube.close()


def wanted_rights(release: str) -> Sequence[Right]:
    """Return the rights that the manifests of this version grant."""
    text = render(package_text(DATA), release, Images())
    return [*rights_of([one.value for one in read(text, "the manifests of this version")], release)]
