"""What every part of the pipeline has in common: a state for the checkpoint, and hooks that the pipeline calls.

The table of components is in `pipeline.py`. A component implements what it needs; all else does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from ...detectors.profile.profile import Profile
from .decode import DecodedExchange
from .feedback.frames import LabelEvent

Hook = Callable[..., None]


class Component:
    """One part of the pipeline. Everything runs in the worker's thread; times `at` and `now` are epoch seconds.

    `by_tick`: the state contains numbers of ticks, so it is not resumed after the length of a tick changed.
    """

    by_tick: ClassVar[bool] = False

    def state(self) -> Any:
        """Return plain values for the checkpoint: dicts, lists, strings, bytes, numbers, None."""

    def resume(self, saved: Any) -> None:
        """Take over what `state` returned before the restart."""

    def on_profile(self, profile: Profile, *, restored: bool) -> None:
        """Handle a new profile in force; `restored` when the resumed state was made under this same profile."""

    def on_exchange(self, tick: int, exchange: DecodedExchange, at: float) -> None:
        """Handle one decoded exchange, which happened `at` and counts in `tick`. This is the hot path."""

    def on_labels(self, tick: int, labels: LabelEvent) -> None:
        """Handle labelled rows of the profile in force, which count in `tick`."""

    def on_tick(self, tick: int, now: float) -> None:
        """Handle the end of `tick`; ticks end in order."""


def hooks(components: Iterable[Component], name: str) -> tuple[Hook, ...]:
    """Return the method `name` of each component that implements it, in order."""
    return tuple(
        getattr(component, name)
        for component in components
        if getattr(type(component), name) is not getattr(Component, name)
    )
