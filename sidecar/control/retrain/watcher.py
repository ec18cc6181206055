"""Reads the objects of retrainings from the API server until they have ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...kube.client import Kube
from ...kube.errors import KubeError, NotFoundError
from ...kube.objects import JOBS, PIPELINE_RUNS, WORKFLOWS, Resource
from ...kube.read import get
from ...tasks import pause
from ..ledger import DELIVERED, IntentLedger
from ..reasons import Reason
from ..situation import RetrainingFacts
from . import argo, job, tekton
from .objects import is_of
from .record import FAILED, RUNNING, ObjectState

_LOG = logging.getLogger("pilotfish.control")

INTERVAL = 10.0  # seconds between two readings
Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ObjectKind:
    """A kind of object: its resource, and its state as a function of the object."""

    resource: Resource
    state: Callable[[Item], ObjectState]


# by kind, alphabetically
KINDS: Mapping[str, ObjectKind] = {
    job.KIND: ObjectKind(JOBS, job.job_state),
    tekton.KIND: ObjectKind(PIPELINE_RUNS, tekton.pipeline_run_state),
    argo.KIND: ObjectKind(WORKFLOWS, argo.workflow_state),
}


class ObjectWatcher:
    """Follows the objects in `namespace` that the ledger calls running."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._kube = kube
        self._namespace = namespace
        self._followed: dict[str, tuple[str, str]] = {}  # by intent: kind and name
        self._facts: dict[str, RetrainingFacts] = {}

    @property
    def facts(self) -> tuple[RetrainingFacts, ...]:
        """The objects that are followed, as they were read last."""
        return tuple(self._facts.values())

    def follow(self, ledger: IntentLedger) -> None:
        """Follow the objects that are running by `ledger`, and no others."""
        self._followed = {
            entry.id: (entry.retraining.kind, entry.retraining.name)
            for entry in ledger.entries.values()
            if entry.state == DELIVERED
            and entry.retraining is not None
            and entry.retraining.state == RUNNING
            and entry.retraining.kind in KINDS
        }
        self._facts = {id_: facts for id_, facts in self._facts.items() if id_ in self._followed}

    async def run(self, stop: asyncio.Event, interval: float = INTERVAL) -> None:
        """Read the objects until `stop` is set."""
        while not stop.is_set():
            await self.read()
            await pause(stop, interval)

    async def read(self) -> None:
        """Read each object once. One that cannot be read keeps its facts, whatever the error is."""
        for id_, (kind, name) in tuple(self._followed.items()):
            try:
                self._facts[id_] = await self._read(id_, kind, name)
            except KubeError as error:
                _LOG.warning("the state of %s %s is unknown: %s", kind, name, error)
            except Exception:
                _LOG.exception("the state of %s %s is unknown", kind, name)

    async def _read(self, id_: str, kind: str, name: str) -> RetrainingFacts:
        try:
            found = await get(self._kube, KINDS[kind].resource, name, self._namespace)
        except NotFoundError:
            found = {}
        if not is_of(found, id_):
            text = f"{kind} {name} was deleted before its end was seen"
            return RetrainingFacts(id_, FAILED, text, Reason.RETRAINING_GONE)
        state = KINDS[kind].state(found)
        return RetrainingFacts(id_, state.state, state.detail)
