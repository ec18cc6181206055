"""Counts what the server was asked, for its metrics. Only the names of known monitors become labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

OK, REFUSED, FAILED = "ok", "refused", "failed"  # 1xx to 3xx, 4xx, 5xx
MAX_SERIES = 20_000  # of requests, and of labels; beyond it, namespace and monitor stay empty


def outcome_of(status: int) -> str:
    """Return the outcome of a response with this HTTP status."""
    return OK if status < 400 else REFUSED if status < 500 else FAILED


@dataclass(slots=True)
class Tallies:
    """The counters of the server.

    Attributes:
        requests: by namespace, monitor, path, outcome and reason.
        labels: by namespace, monitor and outcome.
    """

    requests: Counter[tuple[str, str, str, str, str]] = field(default_factory=Counter)
    labels: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def count_request(self, monitor: tuple[str, str], path: str, status: int, reason: str) -> None:
        """Count one response; `monitor` is namespace and name, both empty if they are not known."""
        key = (*monitor, path, outcome_of(status), reason)
        if key not in self.requests and len(self.requests) >= MAX_SERIES:
            key = ("", "", *key[2:])
        self.requests[key] += 1

    def count_labels(self, monitor: tuple[str, str], outcomes: Counter[str]) -> None:
        """Count the labels of one request by outcome."""
        for outcome, amount in outcomes.items():
            key = (*monitor, outcome)
            if key not in self.labels and len(self.labels) >= MAX_SERIES:
                key = ("", "", outcome)
            self.labels[key] += amount
