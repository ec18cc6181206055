"""`/v1/profiles/HASH`: a pod fetches the profile in force, and offers one that it has learned."""

from __future__ import annotations

import asyncio
import gzip
from collections import OrderedDict

from aiohttp import web

from .....detectors.errors import DetectorError
from .....detectors.profile.profile import Profile
from ....callers.errors import RefusedRequestError
from ....callers.rates import RateLimiter
from ....sync.messages import Pod
from ....system import accept
from .backend import Backend
from .bodies import BodyIntake

MAX_PROFILE_BYTES = 16 * 1024 * 1024  # as sent, and decompressed
COMPRESSED = 4  # profiles that are kept compressed, because all pods of a rollout fetch the same one


class ProfileExchange:
    """Serves and takes profiles. `backend` decides which pod may have which one."""

    def __init__(self, backend: Backend, bodies: BodyIntake, offers: RateLimiter) -> None:
        self._backend = backend
        self._offers = offers
        self._bodies = bodies
        self._one_at_a_time = asyncio.Lock()  # to compress or check a profile takes up to a second of the processor
        self._compressed: OrderedDict[str, bytes] = OrderedDict()

    async def fetch(self, request: web.BaseRequest, pod: Pod, profile_hash: str) -> web.Response:
        """Return the profile, with its hash as ETag."""
        found = await self._backend.profile(pod, profile_hash)
        if found is None:
            raise RefusedRequestError(
                "no monitor of this pod has a profile with this hash; use the hash of the latest sync response",
                status=404,
                reason="unknown_profile",
            )
        packed = accept.accepts_gzip(", ".join(request.headers.getall("Accept-Encoding", ())))
        headers = {"ETag": f'W/"{profile_hash}"' if packed else f'"{profile_hash}"', "Vary": "Accept-Encoding"}
        if {profile_hash, "*"} & accept.entity_tags(", ".join(request.headers.getall("If-None-Match", ()))):
            return web.Response(status=304, headers=headers)
        if packed:
            headers["Content-Encoding"] = "gzip"
            found = await self._pack(profile_hash, found)
        return web.Response(body=found, headers=headers, content_type="application/json", charset="utf-8")

    async def take(self, request: web.BaseRequest, pod: Pod, profile_hash: str) -> web.Response:
        """Verify an offered profile, and pass it on."""
        wait = self._offers.take(pod.uid)
        if wait:
            raise RefusedRequestError(
                "this pod offers too many profiles; offer each one once", status=429, reason="rate", retry_after=wait
            )
        async with self._bodies.read(request, MAX_PROFILE_BYTES) as raw:
            async with self._one_at_a_time:
                actual = await asyncio.to_thread(_hash_of, raw)
            if actual != profile_hash:
                raise RefusedRequestError(
                    "the profile in the body has another hash than the path; send the profile unchanged",
                    reason="other_hash",
                )
            await self._backend.offer_profile(pod, profile_hash, raw)
        return web.Response(status=204)

    async def _pack(self, profile_hash: str, raw: bytes) -> bytes:
        async with self._one_at_a_time:
            packed = self._compressed.get(profile_hash)
            if packed is None:
                packed = await asyncio.to_thread(gzip.compress, raw, mtime=0)
                self._compressed[profile_hash] = packed
                if len(self._compressed) > COMPRESSED:
                    self._compressed.popitem(last=False)
        return packed


def _hash_of(raw: bytes) -> str:
    try:
        return Profile.from_bytes(raw).hash
    except (DetectorError, RecursionError, MemoryError):
        raise RefusedRequestError(
            "the body is not a profile of this release; build it with the release of the controller",
            reason="unreadable_profile",
        ) from None
