"""Tenths: groups of neighbouring bins with about a tenth of the reference each, for PSI and Jensen-Shannon.

These two are customary on about ten bins. On the 40 bins of detection, few rows would raise them four times as much.
"""

from __future__ import annotations

import numpy as np

from ..batch import Ints
from ..binning.numeric import FIRST_VALUE_BIN
from ..binning.probabilities import Bins

TENTHS = 10
BINS_AFTER_VALUES = 4  # above, far above, +inf and missing


def tenths(bins: Bins, reference: Ints, *, open_ended: bool) -> Ints:
    """Return the first bin of each group, for `np.add.reduceat`; categories keep their bins.

    Missing values are a group of their own. Values outside the range belong to the outermost tenths if `open_ended`;
    else they are one group below the range and one above.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.comparisons.tenths import tenths
        >>> from pilotfish.detectors.reference.build import build_profile
        >>> feature = build_profile({"x": np.random.default_rng(0).normal(size=9000)}, exchangeable=True).features[0]
        >>> starts = tenths(feature.bins, feature.reference_counts, open_ended=True)
        >>> (np.add.reduceat(feature.reference_counts, starts) / 9000).round(2).tolist()
        [0.09, 0.13, 0.09, 0.1, 0.09, 0.1, 0.12, 0.09, 0.11, 0.09, 0.0]
    """
    if not hasattr(bins, "cuts"):
        return np.arange(bins.size)
    values = reference[FIRST_VALUE_BIN:-BINS_AFTER_VALUES]
    middle = 2 * np.cumsum(values) - values  # rank of the middle of each bin, in half rows
    groups = TENTHS * middle // max(1, 2 * int(values.sum()))
    starts = FIRST_VALUE_BIN + np.flatnonzero(np.diff(groups, prepend=-1))
    outside = [] if open_ended else [bins.size - BINS_AFTER_VALUES]
    return np.concatenate([[0], starts[1:] if open_ended else starts, outside, [bins.size - 1]]).astype(np.int64)
