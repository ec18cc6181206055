"""Profiles of a monitor: from a ConfigMap, from a URL, or learned by its pods and frozen here."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ....detectors.errors import DetectorError
from ....detectors.profile.profile import Profile
from ...errors import PilotfishError, quote_value
from ...kube.client import Kube
from ...kube.errors import KubeError, NotFoundError
from ...kube.objects import CONFIG_MAPS
from ...kube.read import get
from ...settings.document import ProfileSource
from ...system.gunzip import DecompressionError, gunzip, is_gzip
from .key import MonitorKey

KEYS = ("profile.json", "profile.json.gz")  # of a ConfigMap
MAX_PROFILE_BYTES = 16 * 1024 * 1024
MAX_DECOMPRESSED_BYTES = 64 * 1024 * 1024

Download = Callable[[str], Awaitable[bytes]]


class ProfileUnavailableError(PilotfishError):
    """A profile that cannot be read. `retryable` is True if the same source may work without a change by a person."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


def parse_profile(raw: bytes, where: str) -> tuple[Profile, bytes]:
    """Return the profile in `raw`, which may be gzipped, and its JSON; raise ProfileUnavailableError."""
    try:
        plain = gunzip(raw, MAX_DECOMPRESSED_BYTES) if is_gzip(raw) else raw
        return Profile.from_bytes(plain), plain
    except (DetectorError, DecompressionError, MemoryError) as error:
        raise ProfileUnavailableError(f"{where}: {error}; build the profile again") from error


async def fetch_profile(kube: Kube, download: Download, key: MonitorKey, source: ProfileSource) -> bytes:
    """Return the bytes of the profile that `source` names; raise ProfileUnavailableError."""
    if source.url is not None:
        try:
            return await download(source.url)
        except PilotfishError as error:
            raise ProfileUnavailableError(f"spec.profiles: {error}", retryable=True) from error
    if source.config_map is not None:
        return await _from_config_map(kube, key.namespace, source.config_map)
    raise ProfileUnavailableError("spec.profiles: path works on one machine only; give configMap, url or learn")


async def _from_config_map(kube: Kube, namespace: str, name: str) -> bytes:
    where = f"ConfigMap {quote_value(name)} of spec.profiles"
    try:
        found = await get(kube, CONFIG_MAPS, name, namespace)
    except NotFoundError as error:
        raise ProfileUnavailableError(f"{where}: it does not exist; create it in the monitor's namespace") from error
    except KubeError as error:
        raise ProfileUnavailableError(f"{where}: {error}", retryable=error.retryable) from error
    return _content(found, where)


def _content(found: Mapping[str, Any], where: str) -> bytes:
    texts, binaries = found.get("data") or {}, found.get("binaryData") or {}
    for name in KEYS:
        if name in texts:
            return str(texts[name]).encode()
        if name in binaries:
            try:
                return base64.b64decode(binaries[name], validate=True)
            except (binascii.Error, ValueError) as error:
                raise ProfileUnavailableError(f"{where}: {name} is no base64; create it again") from error
    raise ProfileUnavailableError(f"{where}: it has none of the keys {', '.join(KEYS)}; `kubectl create configmap` sets one")
