"""Which features live traffic carries at all.

A column that no request has ever had is a difference of set-up, say a reference with a column that is not served: it
is shown, and raises no alarm, nor does what is measured of several columns with it among them. A column that was there
and is gone is a fault of its source: its rows count as missing.
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
    """Remembers the features that any closed tick has had; `observed` is [features]."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self.observed: Bools = np.zeros(len(profile.features), dtype=bool)
        self._joint = [
            ([profile.index[name] for name in transform.inputs if name in profile.index], _bins_of(profile, transform))
            for transform in profile.transforms
            if transform.family == "multivariate"
        ]

    def with_missing(self, counts: Counts) -> Counts:
        """The tick's counts, the rows without a column counted as missing where it was there before.

        Where it never was, what is measured of it and others together counts no rows.
        """
        self.observed = self.observed | (np.add.reduceat(counts.bin_counts, self._profile.offsets[:-1]) > 0)
        if not counts.absent.any():
            return counts
        bin_counts = counts.bin_counts.copy()
        bin_counts[self._profile.offsets[1:] - 1] += np.where(
            self.observed, counts.absent, 0
        )  # the last cell is `missing`
        never = ~self.observed & (counts.absent > 0)
        for inputs, made in self._joint:
            if never[inputs].any():
                bin_counts[made] = 0
        return replace(counts, bin_counts=bin_counts)

    def state(self) -> bytes:
        return self.observed.tobytes()

    def restore(self, state: bytes) -> None:
        """StateError if the number of features is another one."""
        observed = np.frombuffer(state, dtype=bool).copy()
        if len(observed) != len(self.observed):
            raise StateError(f"a state of {len(observed)} features does not fit {len(self.observed)}; start afresh")
        self.observed = observed


def _bins_of(profile: Profile, transform: Transform) -> Bools:
    """True [cells] for those of the features that a transform makes."""
    out = np.zeros(profile.n_bins, dtype=bool)
    for name in transform.outputs:
        if name in profile.index:
            at = profile.index[name]
            out[profile.offsets[at] : profile.offsets[at + 1]] = True
    return out
