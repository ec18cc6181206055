"""Converts the document to the settings of the worker and of the proxy, and to the response of `GET /config`.

A document that cannot be used never ends the process. It becomes the reason why the analyzer is idle, so that traffic
passes and health and metrics still answer.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from ...detectors.errors import DetectorError
from ...detectors.settings import DriftSettings
from ..errors import hide_path, quote_value, redact_urls
from ..settings.document import ModelMonitor
from ..settings.drift import drift_settings
from ..settings.errors import SettingsError
from ..settings.jsonpath import parse_path
from ..settings.load import load, parse
from ..settings.proxy import ProxySettings
from ..settings.sources import source_for
from ..settings.traffic import Decode
from ..settings.validation import find_warnings
from .decode import Columns, Hints, OwnJson, compile_template
from .engine import EngineFactory, effect_sizes_only
from .settings import AnalyzerSettings
from .stream_detectors import configure_detectors

MAX_EXPANSION = 4  # the limit of a decompressed body, as a multiple of the limit of a body on the wire


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """The document and the settings from it. `notes` are warnings for the report.

    `document` is None without a document or when it cannot be used; `settings.problem` then has the reason.
    """

    document: ModelMonitor | None
    settings: AnalyzerSettings
    profile_path: Path | None = None
    notes: tuple[str, ...] = ()


def configure(
    path: Path | None, engine_factory: EngineFactory, *, cluster: bool = False, controlled: bool = False
) -> Configuration:
    """Return the configuration from the document at `path`; None means that there is no document.

    Outside of a `cluster`, a document with settings that need one cannot be used. `controlled` means that a controller
    sends document and profile: until then, there is no document.
    """
    plain = AnalyzerSettings(drift=DriftSettings(), engine_factory=engine_factory)
    if path is None or (controlled and not path.exists()):
        return Configuration(document=None, settings=plain)
    try:
        document = load(path, cluster=cluster)
        return configuration_of(document, path.parent, engine_factory, cluster=cluster, controlled=controlled)
    except (SettingsError, DetectorError) as error:
        return Configuration(document=None, settings=replace(plain, problem=f"the document cannot be used: {error}"))


def document_problem(raw: bytes, where: str) -> str:
    """Return why a pod cannot use the document in `raw`, which `where` names; empty if it can."""
    try:
        configuration_of(parse(raw, where, os.environ), Path(), effect_sizes_only, cluster=True, controlled=True)
    except (SettingsError, DetectorError) as error:
        return str(error)
    return ""


def proxy_settings(document: ModelMonitor | None) -> ProxySettings:
    """Return the part of the document that the proxy needs."""
    if document is None:
        return ProxySettings()
    traffic = document.spec.traffic
    return ProxySettings(
        max_records_per_second=traffic.max_records_per_second,
        body_limit=traffic.body_limit,
        routes=traffic.routes,
        probes=traffic.probes,
        model=document.spec.model.name,
    )


def profile_wanted(configuration: Configuration, lost: str) -> str:
    """Return why a profile should be in force; empty if the document asks for none and none was `lost`."""
    document = configuration.document
    if lost or document is None or not document.spec.profiles:
        return lost
    if configuration.settings.learn is not None:
        return "spec.profiles asks to learn one, and no learning is under way; start one with POST /rebaseline"
    versions = ", ".join(quote_value(item.version) for item in document.spec.profiles)
    wanted = document.spec.model.version
    asked = f"for the version {quote_value(wanted)} of spec.model.version" if wanted else "without spec.model.version"
    return f"spec.profiles names none {asked}, only {versions}; correct the version, or add a profile"


def redacted_document(document: ModelMonitor | None) -> Any:
    """Return the document as plain values, with all parts of URLs removed that may hold a secret."""
    if document is None:
        return None
    plain = msgspec.to_builtins(document)
    for block in (plain["spec"].get("retrain"), *plain["spec"]["notify"]):
        webhook = block and block.get("webhook")
        if webhook and webhook.get("url"):
            webhook["url"] = hide_path(webhook["url"])
    for source in plain["spec"].get("profiles") or ():
        if source.get("url"):
            source["url"] = redact_urls(source["url"])
    return plain


def configuration_of(
    document: ModelMonitor, folder: Path, engine_factory: EngineFactory, *, cluster: bool, controlled: bool = False
) -> Configuration:
    """Return the configuration from `document`; its relative paths are resolved against `folder`.

    With `controlled`, the profile comes from the controller, which also freezes a learned one for all pods.

    Raises DetectorError for settings that detection refuses.
    """
    spec = document.spec
    source = source_for(spec.profiles, spec.model.version)
    settings = AnalyzerSettings(
        model=spec.model.name,
        version=spec.model.version,
        mode=spec.mode,
        hints=Hints(
            protocol=spec.traffic.protocol if spec.traffic.decode is None else "json",
            model=spec.model.name,
            body_limit=MAX_EXPANSION * spec.traffic.body_limit,
            own=_own_json(spec.traffic.decode),
        ),
        drift=drift_settings(spec.drift),
        feedback=spec.feedback,
        learn=source.learn if source is not None else None,
        keep_rows=spec.traffic.keep_rows,
        streams=configure_detectors(spec.drift.detectors),
        engine_factory=engine_factory,
    )
    path = folder / source.path if source is not None and source.path and not controlled else None
    notes = tuple(find_warnings(document, cluster=cluster and not controlled))
    return Configuration(document=document, settings=settings, profile_path=path, notes=notes)


def _own_json(decode: Decode | None) -> OwnJson:
    """Return the parsed paths of `spec.traffic.decode`."""
    if decode is None:
        return OwnJson()
    rows = _columns(decode.input_columns) if decode.rows is None else parse_path(decode.rows)
    predictions = _columns(decode.prediction_columns) if decode.predictions is None else parse_path(decode.predictions)
    return OwnJson(
        rows=rows,
        one_row=decode.one_row,
        names=parse_path(decode.names) if decode.names else None,
        predictions=predictions or None,
        id=parse_path(decode.id) if decode.id else None,
        paths=tuple(map(compile_template, decode.paths)),
    )


def _columns(paths: Mapping[str, str]) -> Columns:
    return tuple((name, parse_path(path)) for name, path in paths.items())
