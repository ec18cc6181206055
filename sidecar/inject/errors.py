"""The error of an injection that is refused; the pod is admitted without sidecars."""

from __future__ import annotations

from ..errors import PilotfishError
from .reasons import InjectionReason


class NotInjectedError(PilotfishError):
    """Nothing can be injected, for `reason`. The message names the object and the remedy."""

    def __init__(self, reason: InjectionReason, what: str, remedy: str = "") -> None:
        super().__init__(f"{what}; {remedy or reason.remedy}")
        self.reason = reason
