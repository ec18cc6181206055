"""Every reason that a decision, an end or an outcome can have: the values of the metric label `reason`.

The one open family is `http_<status>`, the answer of a webhook's receiver.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Reason(StrEnum):
    """The reasons, alphabetically; `meaning` explains each one to a person."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        """Return the analyzer process for `value`, with its meaning beside it."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    CONNECT = "connect", "no connection to the receiver could be made"
    COOLDOWN = "cooldown", "the last effect of this kind is too recent"
    DISCONNECTED = "disconnected", "the connection to the receiver ended before its answer"
    DRIFT = "drift", "a drift detector raised an alarm"
    EXECUTOR_ERROR = "executor_error", "the executor raised an exception, which is in the log"
    MODE = "mode", "the document's mode does not let it act"
    PERFORMANCE = "performance", "labels show that the model got worse"
    PERSON = "person", "a person closed the episode"
    PROFILE = "profile", "another profile is in force"
    RECOVERY = "recovery", "the data came back to the reference"
    REPLACED = "replaced", "a newer intent for the same object wants another value"
    SATISFIED = "satisfied", "the observed value equals the desired one"
    SECRET = "secret", "the file that holds the secret cannot be used"
    SECRET_REF = "secret_ref", "the document names a Secret of a cluster, and this is not a cluster"
    STALE = "stale", "the observation is too old to act on"
    TIMEOUT = "timeout", "the receiver did not answer in time"
    TLS = "tls", "the receiver's certificate could not be verified"
    UNKNOWN = "unknown", "the episode ended without a recorded cause"
    WITHDRAWN = "withdrawn", "the policy no longer wants it"
