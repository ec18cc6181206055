"""The label of the leader's pod, which the Service of the controller selects.

The Lease decides who leads; the label only routes pods to the leader. A former leader answers 503, so a label that is
wrong for a moment costs a retry.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from ...kube.client import Kube
from ...kube.errors import KubeError, NotFoundError
from ...kube.objects import PODS
from ...kube.patch import merge_patch
from ...kube.read import list_all

_LOG = logging.getLogger("pilotfish.control")
LEADER = "pilotfish.dev/leader"  # label of the leader's pod, "true"


@dataclass
class LeaderLabel:
    """The label of the pod `pod` in `namespace`; an empty name means that the process does not run in a pod.

    `problem` is why the label could not be set; empty if it could.
    """

    kube: Kube
    namespace: str
    pod: str
    problem: str = ""

    async def claim(self) -> None:
        """Label the own pod, and remove the label of all others."""
        if not self.pod:
            return
        try:
            items, _ = await list_all(self.kube, PODS, self.namespace, label_selector=f"{LEADER}=true")
            names = {item["metadata"]["name"] for item in items}
            for name in sorted(names - {self.pod}):
                await self._set(name, None)
            if self.pod not in names:
                await self._set(self.pod, "true")
            self.problem = ""
        except KubeError as error:
            problem = f"the leader's pod has no label, so the Service does not reach it: {error}"
            if problem != self.problem:
                _LOG.warning("%s", problem)
            self.problem = problem

    async def release(self) -> None:
        """Remove the label of the own pod; a failure is harmless, because the next leader removes it."""
        if not self.pod:
            return
        try:
            await self._set(self.pod, None)
        except KubeError as error:
            _LOG.info("the label of the leader's pod stays until the next leader removes it: %s", error)

    async def _set(self, name: str, value: str | None) -> None:
        body = {"metadata": {"labels": {LEADER: value}}}
        try:
            await merge_patch(self.kube, PODS, name, body, self.namespace)
        except NotFoundError:
            if name == self.pod:
                raise
