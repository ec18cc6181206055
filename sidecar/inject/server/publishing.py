"""Keeps what clients trust equal to the bundle of the certificates.

    caBundle of the MutatingWebhookConfiguration   the API server trusts the injector
    ConfigMap pilotfish-ca of a namespace          the analyzers of its pods trust the controller

Every replica writes what differs. All write the same, so none has to lead: before a replica writes, it reads the
authority again, because another one may know a newer bundle.

The ConfigMaps belong to the webhook configuration by an owner reference: when the release is uninstalled, Kubernetes
removes them.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import time
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ...certificates.source import CertificateSource
from ...errors import PilotfishError, quote_value
from ...kube.client import Kube
from ...kube.errors import ConflictError, InvalidError
from ...kube.mirror import Store, mirror
from ...kube.objects import CONFIG_MAPS, MUTATING_WEBHOOKS
from ...kube.patch import apply, json_patch
from ...kube.watch import WatchTiming
from ...tasks import cancel_all, keep_running, pause
from ..names import LABEL, SYSTEM_NAMESPACES
from .mirrors import OPTED_IN, ClusterMirrors
from .tallies import InjectorTallies

CONFIG_MAP, KEY = "pilotfish-ca", "ca.crt"
MANAGER = "pilotfish-injector"  # owns the fields, for server-side apply
OWN_MANAGERS = frozenset({quote_value(MANAGER), quote_value("pilotfish")})  # the second writes JSON patches
OWN = {"app.kubernetes.io/managed-by": MANAGER, "app.kubernetes.io/part-of": "pilotfish"}
TURN = 10.0  # seconds between two comparisons without a change
LEAST_PAUSE = 0.2  # seconds between two comparisons
AGAIN = 15.0  # seconds until an object is written again after a failure, or while others change it all the time
CONFLICTS, CONFLICT_SECONDS = 5, 60.0  # so many repairs in so many seconds are a conflict with another writer

Item = dict[str, Any]
_LOG = logging.getLogger("pilotfish.injector")


@dataclass(frozen=True, slots=True)
class PublishedObject:
    """An object that has the bundle. `write` is None if it is as it should be; `version` is what was read of it."""

    kind: str
    namespace: str
    found: Item | None
    write: Callable[[], Awaitable[Item]] | None

    @property
    def key(self) -> str:
        """The key in the tables of the publisher."""
        return _key(self.namespace)

    @property
    def version(self) -> str:
        """The resourceVersion; empty if there is no object."""
        return str(self.found["metadata"]["resourceVersion"]) if self.found is not None else ""

    def __str__(self) -> str:
        return f"{self.kind} of namespace {self.namespace}" if self.namespace else self.kind


@dataclass
class BundlePublisher:
    """Publishes the bundle of `certificates`. `webhook` is the name of the configuration; empty for none.

    Attributes:
        injected: namespaces in which this process has injected pods.
        problems: what could not be written, by object.
    """

    kube: Kube
    certificates: CertificateSource
    mirrors: ClusterMirrors
    tallies: InjectorTallies
    webhook: str
    release_namespace: str
    monotonic: Callable[[], float] = time.monotonic
    timing: WatchTiming = field(default_factory=WatchTiming)
    injected: set[str] = field(default_factory=set)
    problems: dict[str, str] = field(default_factory=dict)
    configurations: Store = field(default_factory=Store)
    config_maps: Store = field(default_factory=Store)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _current: dict[str, bytes] = field(default_factory=dict)  # the bundle that an object had when it was in order
    _replaced: dict[str, str] = field(
        default_factory=dict
    )  # the version that was written over, until the mirror changes
    _not_before: dict[str, float] = field(default_factory=dict)
    _repairs: defaultdict[str, deque[float]] = field(default_factory=lambda: defaultdict(deque))
    _lost: Counter[str] = field(default_factory=Counter)  # writes that lost against another writer, until one succeeds

    def wake(self) -> None:
        """Compare soon."""
        self._woken.set()

    def add_namespace(self, namespace: str) -> None:
        """Publish in a namespace, because a pod there is injected."""
        if namespace not in self.injected:
            self.injected.add(namespace)
            self.wake()

    @property
    def synced(self) -> bool:
        """Whether the objects were listed."""
        return self.config_maps.synced and (self.configurations.synced or not self.webhook)

    @property
    def began(self) -> bool:
        """Whether the API server was told whom to trust, or cannot be told: then `problems` says why."""
        key = _key("")
        return not self.webhook or key in self._current or key in self.problems or "authority" in self.problems

    def outdated(self) -> dict[str, int]:
        """Return how many objects differ from the bundle, by kind."""
        found = {"configmap": 0, "webhook": 0}
        for one in self._objects():
            found["configmap" if one.namespace else "webhook"] += one.write is not None
        return found

    async def run(self) -> None:
        """Keep everything published until cancelled."""
        names = [(CONFIG_MAPS, self.config_maps, CONFIG_MAP), (MUTATING_WEBHOOKS, self.configurations, self.webhook)]
        mirroring = [
            asyncio.create_task(
                keep_running(
                    f"following {resource.plural} {name}",
                    partial(
                        mirror, self.kube, resource, store,
                        field_selector=f"metadata.name={name}",
                        on_change=self._changed,
                        trim=lambda item: item,  # its field managers tell who has changed it
                        timing=self.timing,
                    ),
                )
            )
            for resource, store, name in names
            if name
        ]  # fmt: skip
        try:
            while True:
                self._woken.clear()
                await self.publish()
                await asyncio.sleep(LEAST_PAUSE)
                await pause(self._woken, TURN if self.began else LEAST_PAUSE)
        finally:
            await cancel_all("publishing", mirroring)

    def _changed(self, _: str, found: Item) -> None:
        """Compare soon, because a mirrored object changed."""
        self._replaced.pop(_key(found["metadata"].get("namespace", "")), None)
        self.wake()

    async def publish(self) -> None:
        """Write what differs from the bundle."""
        if not self.synced or self.mirrors.missing() or not self.certificates.bundle:
            return
        if all(self._in_order(one) for one in self._objects()):
            return
        try:
            await self.certificates.refresh()
        except PilotfishError as error:
            self.problems["authority"] = str(error)
            return
        self.problems.pop("authority", None)
        for one in list(self._objects()):
            if not self._in_order(one) and self.monotonic() >= self._not_before.get(one.key, 0.0):
                await self._write(one)

    def _objects(self) -> Iterator[PublishedObject]:
        if self.webhook:
            yield self._webhook_object()
        for namespace in sorted(self._namespaces()):
            yield self._config_map_object(namespace)

    def _namespaces(self) -> set[str]:
        """Return the namespaces that get the ConfigMap: opted in, with a monitor, with injected pods, or with it."""
        present = self.mirrors.namespaces()
        found = {name for name, facts in present.items() if facts.labels.get(LABEL) in OPTED_IN}
        found |= {*self.mirrors.monitors.namespaces, *self.injected}
        found |= {namespace for namespace, _ in self.config_maps.objects}
        ending = {name for name, facts in present.items() if facts.ending}
        return (found & present.keys()) - ending - SYSTEM_NAMESPACES - {self.release_namespace}

    def _webhook_object(self) -> PublishedObject:
        found = self.configurations.get("", self.webhook)
        wanted = base64.b64encode(self.certificates.bundle).decode()
        different = [
            {"op": "add", "path": f"/webhooks/{index}/clientConfig/caBundle", "value": wanted}
            for index, webhook in enumerate((found or {}).get("webhooks") or ())
            if webhook["clientConfig"].get("caBundle") != wanted
        ]
        kind = f"MutatingWebhookConfiguration {self.webhook}"
        if found is None or not different:
            return PublishedObject(kind, "", found, None)
        test = {"op": "test", "path": "/metadata/resourceVersion", "value": found["metadata"]["resourceVersion"]}
        return PublishedObject(
            kind, "", found, lambda: json_patch(self.kube, MUTATING_WEBHOOKS, self.webhook, [test, *different])
        )

    def _config_map_object(self, namespace: str) -> PublishedObject:
        found = self.config_maps.get(namespace, CONFIG_MAP)
        metadata: Item = {"name": CONFIG_MAP, "namespace": namespace, "labels": OWN}
        owner = self.configurations.get("", self.webhook)
        if owner is not None:
            reference = {"apiVersion": MUTATING_WEBHOOKS.api_version, "kind": "MutatingWebhookConfiguration"}
            metadata["ownerReferences"] = [{**reference, "name": self.webhook, "uid": owner["metadata"]["uid"]}]
        data = {KEY: self.certificates.bundle.decode()}
        wanted = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
        same = found is not None and found.get("data") == data and _includes(found["metadata"], metadata)
        return PublishedObject(
            f"ConfigMap {CONFIG_MAP}", namespace, found,
            None if same else lambda: apply(self.kube, CONFIG_MAPS, wanted, field_manager=MANAGER, force=True),
        )  # fmt: skip

    def _in_order(self, one: PublishedObject) -> bool:
        """Return whether nothing is to be done for an object, also because the mirror lags behind the last write."""
        if one.write is None:
            self._current[one.key] = self.certificates.bundle
            self._replaced.pop(one.key, None)
            self.problems.pop(one.key, None)
            self._lost.pop(one.key, None)
            return True
        return self._replaced.get(one.key) == one.version

    async def _write(self, one: PublishedObject) -> None:
        assert one.write is not None
        key, now = one.key, self.monotonic()
        if self._current.get(key) == self.certificates.bundle:
            self._note_repair(one, now)
        self._replaced[key] = one.version
        try:
            await one.write()
        except PilotfishError as error:
            self._lost[key] += isinstance(error, ConflictError | InvalidError)  # another replica was faster
            if 0 < self._lost[key] < CONFLICTS:
                self._replaced.pop(key, None)
                self.wake()
                return
            if key not in self.problems:
                _LOG.error("the bundle of certificates was not written into %s: %s", one, error)
            self.problems[key] = str(error)
            self._replaced.pop(key, None)
            self._not_before[key] = now + AGAIN
            return
        self._current[key] = self.certificates.bundle
        _LOG.info("the bundle of certificates was written into %s", one)

    def _note_repair(self, one: PublishedObject, now: float) -> None:
        """Count a repair, and say who has changed the object; write less often while others change it all the time.

        While the authority is replaced, another replica may be a step ahead or behind: that is no repair.
        """
        who = _last_manager(one.found)
        if who in OWN_MANAGERS:
            return
        self.tallies.repairs["configmap" if one.namespace else "webhook"] += 1
        recent = self._repairs[one.key]
        recent.append(now)
        while recent[0] < now - CONFLICT_SECONDS:
            recent.popleft()
        if len(recent) < CONFLICTS:
            _LOG.warning("%s was changed by %s; the bundle of certificates is written again", one, who)
            return
        self._not_before[one.key] = now + AGAIN
        _LOG.error(
            "%s is changed by %s again and again, %d times within %g s; the bundle is written every %g s; let that "
            "program ignore the field",
            one, who, len(recent), CONFLICT_SECONDS, AGAIN,
        )  # fmt: skip


def _key(namespace: str) -> str:
    return f"configmap/{namespace}" if namespace else "webhook"


def _includes(found: Item, wanted: Item) -> bool:
    """Return whether metadata has the labels and owners that are wanted; it may have more."""
    labels = found.get("labels") or {}
    owners = found.get("ownerReferences") or []
    uids = {owner.get("uid") for owner in owners}
    return (
        labels.items() >= wanted["labels"].items()
        and {owner["uid"] for owner in wanted.get("ownerReferences", ())} <= uids
    )


def _last_manager(found: Item | None) -> str:
    """Return the field manager that changed an object last, for a log.

    Times are whole seconds. Of two writers in one second, the foreign one is the cause of a repair.
    """
    if found is None:
        return "someone who deleted it"
    entries = found["metadata"].get("managedFields") or [{}]
    writers = ((str(entry.get("time", "")), quote_value(entry.get("manager", "unknown"))) for entry in entries)
    return max(writers, key=lambda writer: (writer[0], writer[1] not in OWN_MANAGERS))[1]
