"""The time line as it is written: lists run over time, oldest first, and hold None where there were no rows."""

from __future__ import annotations

import msgspec

from ..schema import RESTART, Effects, Episode

FORMAT = 1
CLOSED_WITH_WINDOWS = frozenset({"profile", RESTART})  # who closed the episodes whose windows were given up with them

Series = tuple[float | None, ...]


class TimelineWindow(msgspec.Struct, frozen=True, kw_only=True):
    """One window: `ticks` closed ticks from `first_tick` to `last_tick`.

    `rows` are by side, `evidence` is the largest evidence ratio of each family in it (1 = alarm).
    """

    first_tick: int
    last_tick: int
    ticks: int
    rows: dict[str, int]
    evidence: dict[str, float]


class FeatureHistogram(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of the rows over bars that `labels` name; `rows` is how many the current ones are.

    `edges` are the borders of the first bars after one for what lies below; empty where bars are no intervals.
    """

    labels: tuple[str, ...]
    edges: tuple[float, ...] = ()
    reference: tuple[float, ...]
    current: tuple[float, ...]
    rows: int


class FeatureSeries(msgspec.Struct, frozen=True, kw_only=True):
    """One feature over the steps; `mean` is in reference sd from the reference's mean, None without an order."""

    name: str
    side: str
    family: str
    kind: str
    rows: tuple[int, ...]
    psi: Series
    psi_low: Series
    psi_high: Series
    missing_ratio: Series
    unseen_ratio: Series
    out_of_range_ratio: Series
    mean: Series | None
    histogram: FeatureHistogram


class DriftedFeature(msgspec.Struct, frozen=True, kw_only=True):
    """A feature in an episode, over the windows from its onset (`first_tick`) to its end or now (`last_tick`).

    `effects` are None where nothing measured them: of an episode that has ended.
    """

    episode: str
    name: str
    open: bool
    confirmed: bool
    onset_tick: int
    first_tick: int
    last_tick: int
    effects: Effects | None
    histogram: FeatureHistogram


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """What happened in the ticks that are remembered; without a profile there is nothing in it.

    The series of `features` run over `steps`: the same ticks as `spans`, joined where they have too few rows.
    """

    format: int = FORMAT
    profile_hash: str = ""
    tick_seconds: float
    spans: tuple[TimelineWindow, ...] = ()
    steps: tuple[TimelineWindow, ...] = ()
    features: tuple[FeatureSeries, ...] = ()
    drifts: tuple[DriftedFeature, ...] = ()


def is_covered(episode: Episode) -> bool:
    """Tell whether the windows in force go back to `episode`: it did not end with the profile or the state before."""
    return episode.closed_by not in CLOSED_WITH_WINDOWS
