"""What prevents a monitor from working, with a reason of the common table."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import PilotfishError
from ...kube.errors import ForbiddenError, KubeError
from ..reasons import Reason


@dataclass(frozen=True, slots=True)
class Trouble:
    """A reason, and a sentence with the value, the cause and the remedy."""

    reason: Reason
    text: str


class TroubleError(PilotfishError):
    """A part of a monitor that cannot be used now; the caller tries again later."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.trouble = Trouble(reason, text)


def of_kube(what: str, error: KubeError, otherwise: Reason) -> TroubleError:
    """Return the trouble of a request that failed; `otherwise` is the reason of an error that no other row explains."""
    if isinstance(error, ForbiddenError):
        return TroubleError(Reason.NOT_AUTHORIZED, f"{what}: {error}")
    return TroubleError(Reason.API_SERVER_UNREACHABLE if error.retryable else otherwise, f"{what}: {error}")
