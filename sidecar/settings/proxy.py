"""The settings of the proxy: a small JSON file in the shared folder, which the analyzer writes and the proxy reloads.

The proxy imports this module, so it uses the standard library only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ..errors import PilotfishError, quote_value
from ..system.files import replace_file

MIB = 1024 * 1024
MAX_BYTES = 4 * MIB  # of the file
LARGEST = 2**53


class ProxySettingsError(PilotfishError):
    """The settings file of the proxy is invalid."""


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """Settings of the observer.

    max_records_per_second  maximum number of records per second for the analyzer; 0 sends none
    body_limit              maximum number of bytes kept of one body; a longer body is truncated
    routes                  the user's path templates, such as `/score/{name}`, tried before the built-in ones
    probes                  paths that count as probes, beside those known by User-Agent; probes are never recorded
    model                   the document's model, whose inference paths always have a route slot; "" for none
    """

    max_records_per_second: int = 2000
    body_limit: int = MIB
    routes: tuple[str, ...] = ()
    probes: tuple[str, ...] = ()
    model: str = ""


_KEYS = {"maxRecordsPerSecond": int, "bodyLimit": int, "routes": list, "probes": list, "model": str}


def parse_proxy_settings(raw: bytes, where: str) -> ProxySettings:
    """Return the settings in `raw`; raise ProxySettingsError with the key, its value and the allowed values.

    Unknown keys are ignored, because the analyzer that wrote the file may be newer.
    """
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
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
        model=document.get("model", ""),
    )


def render_proxy_settings(settings: ProxySettings) -> bytes:
    """Return the content of the file for `settings`; the inverse of `parse_proxy_settings`."""
    return json.dumps(
        {
            "maxRecordsPerSecond": settings.max_records_per_second,
            "bodyLimit": settings.body_limit,
            "routes": list(settings.routes),
            "probes": list(settings.probes),
            "model": settings.model,
        }
    ).encode()


def write_proxy_settings(path: Path, settings: ProxySettings) -> None:
    """Replace the file at `path` atomically."""
    replace_file(path, render_proxy_settings(settings), mode=0o600)


def _require(key: str, value: object, where: str) -> None:
    kind = _KEYS.get(key)
    if kind is int and (type(value) is not int or not 0 <= value <= LARGEST):
        raise ProxySettingsError(f"{where}: {key} is {quote_value(value)}; give a whole number from 0 to {LARGEST}")
    if kind is str and not isinstance(value, str):
        raise ProxySettingsError(f"{where}: {key} is {quote_value(value)}; give a text")
    if kind is list and not (
        isinstance(value, list) and all(isinstance(item, str) and item.startswith("/") for item in value)
    ):
        raise ProxySettingsError(f"{where}: {key} is {quote_value(value)}; give a list of paths that begin with /")
