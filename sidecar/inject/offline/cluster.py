"""Reads surroundings and the template of the sidecars from a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from ...kube.client import Kube
from ...kube.errors import ForbiddenError, NotFoundError
from ...kube.objects import CONFIG_MAPS, MODEL_MONITORS, NAMESPACES, SERVICES, Resource
from ...kube.read import get, list_all
from .surroundings import POOL_GROUPS, Surroundings

_READ = {
    "limit_ranges": (Resource("", "v1", "limitranges"),),
    "monitors": (MODEL_MONITORS,),
    "pools": tuple(
        Resource(group, version, "inferencepools")
        for group, version in zip(POOL_GROUPS, ("v1", "v1alpha2"), strict=True)
    ),
    "quotas": (Resource("", "v1", "resourcequotas"),),
    "services": (SERVICES,),
}


class ClusterSurroundings(NamedTuple):
    """What was read of a cluster: surroundings, the text of the template if there is one, and what was refused."""

    surroundings: Surroundings
    template: str
    refused: tuple[str, ...]


def read_cluster(
    kubeconfig: Path | None, context: str, namespaces: Collection[str], release: str
) -> ClusterSurroundings:
    """Read the surroundings in the namespaces, and the template of the release; raise KubeError."""
    return asyncio.run(_read_cluster(kubeconfig, context, namespaces, release))


async def _read_cluster(
    kubeconfig: Path | None, context: str, namespaces: Collection[str], release: str
) -> ClusterSurroundings:
    kube = await Kube.connect(kubeconfig, context)
    found, refused = Surroundings(), []
    try:
        for namespace in namespaces:
            try:
                found.put("namespaces", await get(kube, NAMESPACES, namespace), "")
            except (ForbiddenError, NotFoundError) as error:
                refused.append(str(error))
            for name, resources in _READ.items():
                for resource in resources:
                    try:
                        items, _ = await list_all(kube, resource, namespace)
                    except NotFoundError:  # the kind is not installed
                        continue
                    except ForbiddenError as error:
                        refused.append(str(error))
                        continue
                    for item in items:
                        found.put(name, item, namespace)
        try:
            template = await get(kube, CONFIG_MAPS, "pilotfish-injector", release)
        except (ForbiddenError, NotFoundError) as error:
            refused.append(f"{error}; the sidecars are those of this version of pilotfish, not of the installation")
            template = {}
    finally:
        await kube.close()
    return ClusterSurroundings(found, str((template.get("data") or {}).get("sidecar.yaml") or ""), tuple(refused))
