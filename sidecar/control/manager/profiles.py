"""Profiles of a monitor: from a ConfigMap, from a URL, or learned by its pods and frozen here."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ....detectors.errors import DetectorError
from ....detectors.profile.profile import Profile
from ...errors import PilotfishError, quote_value, redact_urls
from ...kube.client import Kube
from ...kube.errors import KubeError, NotFoundError
from ...kube.objects import CONFIG_MAPS
from ...kube.read import get
from ...settings.document import ProfileSource
from ...system.gunzip import DecompressionError, gunzip, is_gzip
from ..reasons import Reason
from .key import MonitorKey
from .trouble import TroubleError, of_kube

KEYS = ("profile.json", "profile.json.gz")  # of a ConfigMap
MAX_PROFILE_BYTES = 16 * 1024 * 1024
MAX_DECOMPRESSED_BYTES = 64 * 1024 * 1024

Download = Callable[[str], Awaitable[bytes]]


def parse_profile(raw: bytes, where: str) -> tuple[Profile, bytes]:
    """Return the profile in `raw`, which may be gzipped, and its JSON; raise TroubleError, which names `where`."""
    try:
        plain = gunzip(raw, MAX_DECOMPRESSED_BYTES) if is_gzip(raw) else raw
        return Profile.from_bytes(plain), plain
    except (DetectorError, DecompressionError, MemoryError) as error:
        raise TroubleError(Reason.PROFILE_INVALID, f"{where}: {error}; build the profile again") from error


def place_of(source: ProfileSource) -> str:
    """Return a text that names where the profile comes from."""
    if source.config_map is not None:
        return f"ConfigMap {quote_value(source.config_map)} of spec.profiles"
    if source.url is not None:
        return f"profile {redact_urls(source.url)}"
    return "the learned profile" if source.learn is not None else "spec.profiles"


async def fetch_profile(kube: Kube, download: Download, key: MonitorKey, source: ProfileSource) -> bytes:
    """Return the bytes of the profile that `source` names; raise TroubleError."""
    where = place_of(source)
    if source.url is not None:
        try:
            return await download(source.url)
        except PilotfishError as error:
            raise TroubleError(Reason.PROFILE_NOT_FOUND, f"{where}: {error}") from error
    if source.config_map is None:
        text = f"{where}: path works on one machine only; give configMap, url or learn"
        raise TroubleError(Reason.PROFILE_NOT_FOUND, text)
    try:
        found = await get(kube, CONFIG_MAPS, source.config_map, key.namespace)
    except NotFoundError as error:
        text = f"{where} does not exist; create it in the namespace of the monitor"
        raise TroubleError(Reason.PROFILE_NOT_FOUND, text) from error
    except KubeError as error:
        raise of_kube(where, error, Reason.PROFILE_NOT_FOUND) from error
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
                text = f"{where}: {name} is not base64; create it again"
                raise TroubleError(Reason.PROFILE_INVALID, text) from error
    text = f"{where} has neither {' nor '.join(KEYS)}; `kubectl create configmap --from-file` sets one"
    raise TroubleError(Reason.PROFILE_NOT_FOUND, text)
