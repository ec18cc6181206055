"""Settings that the proxy reloads while it runs: a small JSON file in the shared folder. Standard library only."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ..errors import PilotfishError, quote_value
from ..system.files import replace_file

MIB = 1024 * 1024


class ProxySettingsError(PilotfishError):
    """The settings file of the proxy has an invalid value."""


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """Settings of the observer.

    max_records_per_second  records/s handed to the analyzer at most; 0 hands over none
    body_limit              bytes kept of one body at most; a longer one is handed over truncated
    routes                  path templates of the user's own, `/score/{name}`, tried before the built-in placeholders
    probes                  paths that are counted as probes and never handed over, beside the kubelet's own requests
    """

    max_records_per_second: int = 2000
    body_limit: int = MIB
    routes: tuple[str, ...] = ()
    probes: tuple[str, ...] = ()


_KEYS = {"maxRecordsPerSecond": int, "bodyLimit": int, "routes": list, "probes": list}


def parse_proxy_settings(raw: bytes, where: str) -> ProxySettings:
    """Return the settings in `raw`; raise ProxySettingsError that names the key, the value and what is allowed."""
    try:
        document = json.loads(raw)
    except ValueError as error:
        raise ProxySettingsError(f"{where}: not JSON ({error})") from error
    if not isinstance(document, dict):
        raise ProxySettingsError(
            f"{where}: {quote_value(document)} is not an object; allowed keys are {', '.join(_KEYS)}"
        )
    for key, value in document.items():
        _require(key, value, where)
    return ProxySettings(
        max_records_per_second=document.get("maxRecordsPerSecond", 2000),
        body_limit=document.get("bodyLimit", MIB),
        routes=tuple(document.get("routes", ())),
        probes=tuple(document.get("probes", ())),
    )


def render_proxy_settings(settings: ProxySettings) -> bytes:
    """Return the file's content for `settings`: the inverse of `parse_proxy_settings`."""
    return json.dumps(
        {
            "maxRecordsPerSecond": settings.max_records_per_second,
            "bodyLimit": settings.body_limit,
            "routes": list(settings.routes),
            "probes": list(settings.probes),
        }
    ).encode()


def write_proxy_settings(path: Path, settings: ProxySettings) -> None:
    """Replace the file at `path` in one step, so that a reader never sees half of it."""
    replace_file(path, render_proxy_settings(settings))


def _require(key: str, value: object, where: str) -> None:
    kind = _KEYS.get(key)
    if kind is None:
        raise ProxySettingsError(f"{where}: unknown key {quote_value(key)}; allowed are {', '.join(_KEYS)}")
    if kind is int and (type(value) is not int or value < 0):
        raise ProxySettingsError(f"{where}: {key} is {quote_value(value)}; give a whole number, 0 or more")
    if kind is list and not (
        isinstance(value, list) and all(isinstance(item, str) and item.startswith("/") for item in value)
    ):
        raise ProxySettingsError(f"{where}: {key} is {quote_value(value)}; give a list of paths that begin with /")
