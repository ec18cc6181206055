"""What a person sees of a blind spot: in the log, the metrics, `/readyz` and on the page."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from typing import Any

from tests.e2e.stack import Stack, total
from tests.support.waiting import wait_until

CALM = "No open drift episode"  # what the page must not show while nothing is measured


def readyz(stack: Stack) -> tuple[int, dict[str, Any]]:
    """Return status and body of GET /readyz; 0 and {} without an answer."""
    status, body = stack.get("/readyz")
    return status, json.loads(body) if body else {}


def page(stack: Stack) -> str:
    """Return the text of the report's page."""
    return html.unescape(stack.get("/report", accept="text/html")[1].decode())


def blind(stack: Stack) -> dict[str, dict[str, Any]]:
    """Return the blind spots of the report by reason."""
    return {spot["reason"]: spot for spot in stack.report().get("blind", [])}


@dataclass(frozen=True, slots=True)
class Expected:
    """A blind spot: its reason, a part of its text, and whether nothing at all is measured."""

    reason: str
    text: str
    total: bool


def reported(stack: Stack) -> set[str]:
    """Return the reasons in /readyz, which costs less than a report."""
    return {spot["reason"] for spot in readyz(stack)[1].get("blind", [])}


def check_is_seen(stack: Stack, expected: Expected) -> None:
    """Wait until a blind spot is reported, and check each place where a person or an alert rule looks."""
    wait_until(lambda: expected.reason in reported(stack), what=f"the blind spot {expected.reason}")

    def found() -> dict[str, Any]:
        spot = blind(stack).get(expected.reason, {})
        return spot if spot.get("total") is expected.total else {}

    spot = wait_until(found, what=f"a report of it, total: {expected.total}")  # it may begin partial
    assert expected.text in spot["text"]
    wait_until(lambda: expected.reason in logged(stack), what="the log line")
    assert total(stack.metrics(), "pilotfish_blind", reason=expected.reason) == 1
    status, body = readyz(stack)
    assert status == (503 if expected.total else 200)
    assert body["ready"] is not expected.total
    shown = page(stack)
    assert spot["text"][:60] in shown
    assert CALM not in shown


def check_has_ended(stack: Stack, reason: str) -> None:
    """Wait until a blind spot is over, in all these places."""
    wait_until(lambda: stack.ready() and reason not in reported(stack), what=f"the end of {reason}")
    wait_until(lambda: reason not in blind(stack), what="the report of its end")
    assert total(stack.metrics(), "pilotfish_blind", reason=reason) == 0
    wait_until(lambda: f"no longer blind ({reason})" in stack.run.errors(), what="the log line of its end")


def logged(stack: Stack) -> str:
    """Return the log lines about blind spots that appeared."""
    return "\n".join(line for line in stack.run.errors().splitlines() if "blind (" in line)
