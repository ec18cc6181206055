"""Observed columns: the features that live traffic has carried at least once.

A column that no request has carried is a difference in set-up, for example a reference column that is not served.
It is shown and raises no alarm. The same holds for features that are derived from it and other columns together. A
column that was present and disappears is a fault of its source: its rows count as missing. `detection.monitor` applies
this to each tick.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..batch import Bools
from ..errors import StateError
from ..profile.profile import Profile
from ..transforms import Transform
from .counts import Counts


class ObservedColumns:
    """The features that any closed tick has had; `observed` is a mask [features].

    Example:
        >>> from pilotfish.detectors.batch import Batch
        >>> from pilotfish.detectors.reference.build import build_profile
        >>> from pilotfish.detectors.summaries.counts import TickCounts
        >>> from pilotfish.detectors.summaries.observed_columns import ObservedColumns
        >>> profile = build_profile({"a": [1, 2] * 50, "b": [3, 4] * 50}, exchangeable=True)
        >>> observed, counting = ObservedColumns(profile), TickCounts(profile)
        >>> for rows in ({"a": [1]}, {"a": [2], "b": [3]}, {"a": [1]}):
        ...     counting.add(Batch(rows, 1))
        ...     print(observed.with_missing(counting.take()).of(profile, "b")[-1])
        0
        0
        1
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self.observed: Bools = np.zeros(len(profile.features), dtype=bool)
        self._joint = [
            ([profile.index[name] for name in transform.inputs if name in profile.index], _bins_of(profile, transform))
            for transform in profile.transforms
            if transform.family == "multivariate"
        ]

    def with_missing(self, counts: Counts) -> Counts:
        """Return the counts of a tick, with absent rows of observed features counted as missing.

        If a column was never observed, features that are derived from it and others together count no rows.
        """
        self.observed = self.observed | (np.add.reduceat(counts.bin_counts, self._profile.offsets[:-1]) > 0)
        if not counts.absent.any():
            return counts
        bin_counts = counts.bin_counts.copy()
        bin_counts[self._profile.offsets[1:] - 1] += np.where(
            self.observed, counts.absent, 0
        )  # the last bin is `missing`
        never = ~self.observed & (counts.absent > 0)
        for inputs, made in self._joint:
            if never[inputs].any():
                bin_counts[made] = 0
        return replace(counts, bin_counts=bin_counts)

    def state(self) -> bytes:
        return self.observed.tobytes()

    def restore(self, state: bytes) -> None:
        """Restore a state.

        Raises:
            StateError: the number of features differs.
        """
        observed = np.frombuffer(state, dtype=bool).copy()
        if len(observed) != len(self.observed):
            raise StateError(
                f"the stored observations have {len(observed)} features, not {len(self.observed)}; start without them"
            )
        self.observed = observed


def _bins_of(profile: Profile, transform: Transform) -> Bools:
    """Return a mask [bins] that is true for the bins of a transform's features."""
    out = np.zeros(profile.n_bins, dtype=bool)
    for name in transform.outputs:
        if name in profile.index:
            at = profile.index[name]
            out[profile.offsets[at] : profile.offsets[at + 1]] = True
    return out
