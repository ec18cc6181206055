"""Asks the Pilotfish of the node for the figures of this pod. Runs in the analyzer."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from ..report.blocks.resources import SourceReason
from ..resources.pod.figures import MOST_BYTES, PATH, FiguresError, decode
from ..resources.pod.reading import NodeReading, NodeState
from .peer import Peer, PeerClient, PeerError

TIMEOUT_SECONDS = 2.0  # a sample waits for the response, and the sampling is due once a second
REMEDIES = {
    401: "check the audience and the pod of the token in --node-token",
    403: "mount a projected token that is bound to this pod",
    404: "the request reached another node; check internalTrafficPolicy of the Service",
    429: "the node asks for fewer requests; the pod waits",
    503: "look at the log of `pilotfish node` on this node",
}


class NodeClient:
    """The NodeSource of an analyzer."""

    def __init__(self, peer: Peer, clock: Callable[[], float] = time.monotonic) -> None:
        self.peer = peer
        self._client = PeerClient(peer)
        self._clock = clock
        self._state = NodeState()

    async def ask(self) -> NodeReading:
        """Return the present reading; ask the node if it is time to."""
        if self._state.due(self._clock()):
            self._state = await self._asked()
        else:
            self._state = self._state.between(self._clock())
        return self._state.reading

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _asked(self) -> NodeState:
        try:
            answer = await self._client.request("GET", PATH, None, {}, MOST_BYTES, TIMEOUT_SECONDS)
            return self._state.on_figures(decode(answer.body), self._clock())
        except PeerError as error:
            reason = SourceReason.NODE_REFUSED if error.status is not None else SourceReason.NODE_UNREACHABLE
            return self._failed(reason, str(error), error.retry_after)
        except FiguresError as error:
            return self._failed(SourceReason.NODE_INVALID, str(error))
        except Exception as error:  # a defect here must not end the sampling
            return self._failed(SourceReason.NODE_UNREACHABLE, f"asking failed with {type(error).__name__}")

    def _failed(self, reason: SourceReason, detail: str, retry_after: float = 0.0) -> NodeState:
        return self._state.on_failure(reason, detail, self._clock(), retry_after)


def node_peer(url: str, ca_file: Path | None, token_file: Path) -> Peer:
    """Return the peer of the options --node, --node-ca and --node-token."""
    return Peer(
        name="pilotfish node",
        option="--node",
        url=url,
        ca_file=ca_file,
        token_file=token_file,
        remedies=REMEDIES,
    )
