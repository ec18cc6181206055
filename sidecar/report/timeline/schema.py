"""The schema of the timeline. Series run over time, oldest first, and hold None where there were no rows."""

from __future__ import annotations

import msgspec

from ..schema import RESTART, Effects, EpisodeReport

FORMAT = 1
CLOSED_WITH_WINDOWS = frozenset({"profile", RESTART})  # `closed_by` of episodes whose windows were discarded

Series = tuple[float | None, ...]


class TimelineWindow(msgspec.Struct, frozen=True, kw_only=True):
    """One window: `ticks` closed ticks from `first_tick` to `last_tick`.

    `rows` are by side. `evidence` is the largest evidence ratio of each family in the window (1 = alarm).
    """

    first_tick: int
    last_tick: int
    ticks: int
    rows: dict[str, int]
    evidence: dict[str, float]


class FeatureHistogram(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of the reference and of the current rows over bars; `labels` name the bars.

    `rows` is the number of current rows. `edges` are the borders of the intervals. `before` bars precede the intervals:
    the values below the first edge, and before them those far below the reference range, if there are any. The bars
    after the intervals are the values above the last edge, far above, infinite and missing. `edges` is empty if the
    bars are not intervals.
    """

    labels: tuple[str, ...]
    edges: tuple[float, ...] = ()
    before: int = 1
    reference: tuple[float, ...]
    current: tuple[float, ...]
    rows: int


class FeatureSeries(msgspec.Struct, frozen=True, kw_only=True):
    """One feature over the steps.

    `mean` is the distance from the mean of the reference in its standard deviations; None for categories.
    """

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
    """A feature of an episode, over the windows from its onset (`first_tick`) to its end or to now (`last_tick`).

    `effects` are None if they were not measured, as for episodes that have ended.
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
    """The history of the ticks that the analyzer still stores; empty without a profile.

    The series of `features` run over `steps`, which are the `spans` joined until each step has enough rows.
    """

    format: int = FORMAT
    profile_hash: str = ""
    tick_seconds: float
    spans: tuple[TimelineWindow, ...] = ()
    steps: tuple[TimelineWindow, ...] = ()
    features: tuple[FeatureSeries, ...] = ()
    drifts: tuple[DriftedFeature, ...] = ()


def is_covered(episode: EpisodeReport) -> bool:
    """Return whether the stored windows cover `episode`, so that it did not end with an earlier profile or state."""
    return episode.closed_by not in CLOSED_WITH_WINDOWS
