"""The requests of a pod to the controller."""

from __future__ import annotations

import asyncio
import gzip

from ...sync.messages import CONTENT_TYPE, LABELS_PATH, PROFILE_PATH, SIGNALS_PATH, SYNC_PATH
from ..peer import MAX_ERROR_BYTES, Peer, PeerClient
from ..profile_store import MAX_PROFILE_BYTES
from .options import SyncOptions

TIMEOUT_SECONDS = 20.0  # of one request; below the least time between two of them
QUICK_SECONDS = 4.0  # of signals, and of all requests at the end
MAX_RESPONSE_BYTES = 2 * 1024 * 1024  # a document has 1 MiB at most
GZIP_FROM = 4096  # bytes of a body, from which compression saves more than a packet
REMEDIES = {
    401: "check the audience and the pod of the token in --control-token",
    403: "check the pod's namespace, name and UID, and the monitor's name",
    404: "check --monitor and --control",
    413: "use the same release on both sides",
    429: "the controller asks for fewer requests; the pod waits",
    503: "no replica of the controller leads at the moment; the pod tries again",
}


class Transport:
    """Requests to the controller. Use it in one event loop; `close` it."""

    def __init__(self, options: SyncOptions) -> None:
        self._client = PeerClient(
            Peer(
                name="the controller",
                option="--control",
                url=options.url,
                ca_file=options.ca_file,
                token_file=options.token_file,
                remedies=REMEDIES,
            )
        )

    async def sync(self, body: bytes, *, timeout: float = TIMEOUT_SECONDS) -> bytes:  # noqa: ASYNC109  # aiohttp's own limit
        """Post a SyncRequest; return the response's body. Raise PeerError."""
        return await self._post(SYNC_PATH, body, timeout)

    async def signals(self, body: bytes) -> bytes:
        """Post Signals; return the response's body. Raise PeerError."""
        return await self._post(SIGNALS_PATH, body, QUICK_SECONDS)

    async def labels(self, body: bytes) -> bytes:
        """Post LabelResults; return the response's body. Raise PeerError."""
        return await self._post(LABELS_PATH, body, TIMEOUT_SECONDS)

    async def fetch_profile(self, profile_hash: str) -> bytes:
        """Return the profile with this hash, perhaps gzipped, not verified. Raise PeerError."""
        headers = {"Accept-Encoding": "gzip"}
        answer = await self._client.request(
            "GET", PROFILE_PATH + profile_hash, None, headers, MAX_PROFILE_BYTES, TIMEOUT_SECONDS
        )
        return answer.body

    async def offer_profile(self, profile_hash: str, raw: bytes) -> None:
        """Put a learned profile; raise PeerError."""
        packed = await asyncio.to_thread(gzip.compress, raw, 6)
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        await self._client.request(
            "PUT", PROFILE_PATH + profile_hash, packed, headers, MAX_ERROR_BYTES, TIMEOUT_SECONDS
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _post(self, path: str, body: bytes, limit: float) -> bytes:
        headers = {"Content-Type": CONTENT_TYPE}
        if len(body) >= GZIP_FROM:
            body = await asyncio.to_thread(gzip.compress, body, 1)
            headers["Content-Encoding"] = "gzip"
        return (await self._client.request("POST", path, body, headers, MAX_RESPONSE_BYTES, limit)).body
