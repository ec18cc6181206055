"""What a process of the cluster needs of its certificates, whoever issues them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Protocol

from ..serving.tls import TlsSource
from ..tasks import cancel_all, keep_running


class CertificateSource(TlsSource, Protocol):
    """The TLS context of new connections, and what clients must trust. `run` keeps both current."""

    @property
    def bundle(self) -> bytes:
        """The certificates of the authorities that clients must trust, PEM; empty if they are not known."""

    def expiries(self) -> Mapping[str, float]:
        """Return when each certificate expires, in epoch seconds, by name: `authority` and `serving`."""

    async def refresh(self) -> None:
        """Read again what is newer; raise PilotfishError."""

    async def start(self, stop: asyncio.Event) -> bool:
        """Wait until there is a certificate; return False if `stop` was set before."""

    async def run(self, stop: asyncio.Event) -> None:
        """Keep the certificates current until `stop` is set; `start` has returned before."""


class Kept(Protocol):
    """Something with certificates that has to be kept current."""

    async def run(self, stop: asyncio.Event) -> None:
        """Keep it current until `stop` is set."""


@asynccontextmanager
async def kept_current(certificates: CertificateSource, stop: asyncio.Event, *others: Kept) -> AsyncIterator[None]:
    """Keep certificates that were started, and `others`, current inside the block."""
    running = [
        asyncio.create_task(keep_running("keeping certificates current", partial(one.run, stop), stop))
        for one in (certificates, *others)
    ]
    try:
        yield
    finally:
        await cancel_all("keeping certificates current", running)
