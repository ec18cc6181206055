"""The document that a monitor uses: the newest valid one, with the bytes that its pods get."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from ....detectors.settings import DriftSettings
from ...settings.document import ModelMonitor
from ...settings.drift import drift_settings
from ...settings.load import parse_resource

_METADATA = ("creationTimestamp", "generation", "name", "namespace", "uid")
_CONTROLLER = frozenset(("notify", "resources", "retrain", "scaling"))  # blocks of spec that pods do not use


@dataclass(frozen=True, slots=True)
class AcceptedDocument:
    """A valid document, its `generation`, and its JSON: `raw`."""

    monitor: ModelMonitor
    drift: DriftSettings
    generation: int
    raw: bytes

    def for_pods(self, version: str) -> bytes:
        """Return the JSON for the pods of `version`, without receivers and secrets.

        It names the version, since a pod does not know its own, and profile sources are chosen by it.
        """
        whole = msgspec.json.decode(self.raw)
        spec = {name: block for name, block in (whole.get("spec") or {}).items() if name not in _CONTROLLER}
        if "traffic" in spec:  # pods of the release before do not have the setting, and no pod needs it
            spec["traffic"] = {name: value for name, value in spec["traffic"].items() if name != "interception"}
        if version:
            spec["model"] = {**(spec.get("model") or {}), "version": version}
        return msgspec.json.encode({**whole, "spec": spec}, order="sorted")


def accept(raw: bytes, where: str) -> AcceptedDocument:
    """Return the document in the JSON `raw`; raise SettingsError or DetectorError, whose message names `where`."""
    monitor = parse_resource(raw, where)
    return AcceptedDocument(monitor, drift_settings(monitor.spec.drift), monitor.metadata.generation or 0, raw)


def document_bytes(item: Mapping[str, Any]) -> bytes:
    """Return the JSON of the object `item` of the API server: its settings, and the metadata that identifies it."""
    metadata = {name: item["metadata"][name] for name in _METADATA if name in item["metadata"]}
    document = {
        "apiVersion": item["apiVersion"],
        "kind": item["kind"],
        "metadata": metadata,
        "spec": item.get("spec") or {},
    }
    return msgspec.json.encode(document, order="sorted")
