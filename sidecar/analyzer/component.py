"""The component protocol: a state for the checkpoint, and hooks that the pipeline calls.

The table of components is in `pipeline.py`. A component overrides the hooks that it needs; the pipeline skips the rest.
To add a component, subclass `Component` and add a row to that table. `resume` must accept each state that `state` gave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from ...detectors.profile.profile import Profile
from ..channel.record import Record
from .decode import Allowance, DecodedExchange, SkippedExchange
from .feedback.frames import LabelEvent

Hook = Callable[..., None]


class Component:
    """One part of what the pipeline counts. All methods run in the worker's thread; `at` and `now` are epoch seconds.

    `by_tick` means that the state contains tick numbers. Such a state is dropped when the tick length has changed.
    """

    by_tick: ClassVar[bool] = False

    def state(self) -> Any:
        """Return plain values for the checkpoint: dicts, lists, strings, bytes, numbers, None."""

    def resume(self, saved: Any) -> None:
        """Restore what `state` returned before the restart."""

    def on_profile(self, profile: Profile, *, restored: bool) -> None:
        """Handle a new profile in force; `restored` means that the resumed state belongs to this profile."""

    def on_record(self, record: Record, decoded: DecodedExchange | SkippedExchange, allowance: Allowance) -> None:
        """Handle one record, decoded or not. What reading it costs is drawn from `allowance`."""

    def on_exchange(self, tick: int, exchange: DecodedExchange, at: float) -> None:
        """Handle one decoded exchange of the time `at`, counted in `tick`. This is the hot path."""

    def on_labels(self, tick: int, labels: LabelEvent) -> None:
        """Handle labelled rows of the profile in force, counted in `tick`."""

    def on_tick(self, tick: int, now: float) -> None:
        """Handle the close of `tick`; ticks close in order."""


def hooks(components: Iterable[Component], name: str) -> tuple[Hook, ...]:
    """Return the method `name` of each component that overrides it, in order."""
    return tuple(
        getattr(component, name)
        for component in components
        if getattr(type(component), name) is not getattr(Component, name)
    )
