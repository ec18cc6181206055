"""Reasons of decisions and outcomes: the values of the metric label `reason`, and of `reason` in the report.

In addition to this list, `http_<status>` is a receiver's answer. Users query these values, so they must not change.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Reason(StrEnum):
    """All reasons, alphabetically, each with its `meaning` in words."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        """Return the member for `value`, with its meaning as an attribute."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    ALARM_CLOSED = "alarm_closed", "an alarm has ended"
    ALARM_OPENED = "alarm_opened", "an alarm was raised"
    BACKLOG = "backlog", "too many events wait for this receiver already"
    BLIND = "blind", "nothing of the traffic can be measured"
    BLIND_ENDED = "blind_ended", "what could not be measured is measured again"
    CLOCK = "clock", "the clock of a pod is ahead of the controller's"
    CONNECT = "connect", "no connection to the receiver could be made"
    COOLDOWN = "cooldown", "the cooldown after the last effect of this kind has not ended"
    DISCONNECTED = "disconnected", "the connection to the receiver was closed before its response"
    DRIFT = "drift", "a drift detector raised an alarm"
    EXECUTOR_ERROR = "executor_error", "the executor raised an exception; see the log"
    LATE = "late", "the tick was closed before the counts arrived"
    LIMIT = "limit", "there are more pods, epochs or counts than the controller keeps"
    MODE = "mode", "the mode in the document does not allow the action"
    PARTLY_BLIND = "partly_blind", "a part of the traffic cannot be measured"
    PERFORMANCE = "performance", "labels show that the model's performance became worse"
    PERSON = "person", "a person closed the episode"
    PROFILE = "profile", "another profile is in force"
    QUORUM = "quorum", "too few of the expected pods were heard"
    RECOVERY = "recovery", "the data returned to the reference"
    REPLACED = "replaced", "a newer intent for the same object wants another value"
    SATISFIED = "satisfied", "the observed value equals the desired one"
    SECRET = "secret", "the secret file cannot be used"
    SECRET_REF = "secret_ref", "the document names a Kubernetes Secret, which exists only in a cluster"
    STALE = "stale", "the observation is too old to act on"
    TIMEOUT = "timeout", "the receiver did not respond in time"
    TLS = "tls", "the receiver's certificate could not be verified"
    UNKNOWN = "unknown", "the episode ended without a recorded cause"
    UNSUBSCRIBED = "unsubscribed", "the receiver is not configured for this event"
    URL = "url", "the file with the receiver's URL cannot be used"
    WITHDRAWN = "withdrawn", "the policy no longer wants the action"
