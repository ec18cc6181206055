"""Checks of a target that do not depend on what is changed about it, and the first hold of a table of checks. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from ..reasons import Reason
from .hold import MAX_CONTACT_AGE, Hold

V = TypeVar("V")


class TargetView(Protocol):
    """What is known about a target, whatever is changed; `scale.guard` and `resize.guard` describe the values."""

    @property
    def stopped(self) -> Reason | None: ...
    @property
    def trouble(self) -> Hold | None: ...
    @property
    def contact_age(self) -> float: ...
    @property
    def unknown(self) -> Hold | None: ...
    @property
    def owner(self) -> Hold | None: ...
    @property
    def rollout(self) -> str: ...


def check_stopped(view: TargetView, _now: float) -> Hold | None:
    """Hold while the kill switch or the pause is set."""
    return Hold(view.stopped) if view.stopped is not None else None


def check_trouble(view: TargetView, _now: float) -> Hold | None:
    """Hold while the target cannot be changed at all."""
    return view.trouble


def check_contact(view: TargetView, _now: float) -> Hold | None:
    """Hold while the API server is silent."""
    return Hold(Reason.API_SERVER_UNREACHABLE) if view.contact_age > MAX_CONTACT_AGE else None


def check_unknown(view: TargetView, _now: float) -> Hold | None:
    """Hold while a fact about the target cannot be read."""
    return view.unknown


def check_owner(view: TargetView, _now: float) -> Hold | None:
    """Hold while somebody else owns what would be changed."""
    return view.owner


def check_rollout(view: TargetView, _now: float) -> Hold | None:
    """Hold while a rollout is in progress."""
    if not view.rollout:
        return None
    return Hold(Reason.ROLLOUT_IN_PROGRESS, f"{view.rollout}; {Reason.ROLLOUT_IN_PROGRESS.meaning}")


def first_hold(checks: Iterable[Callable[[V, float], Hold | None]], view: V, now: float) -> Hold | None:
    """Return the hold of the first check that has one at `now`, in epoch seconds; None if all pass."""
    return next((hold for check in checks if (hold := check(view, now)) is not None), None)
