"""Which features drifted: the e-Benjamini-Hochberg procedure on the evidence of one tick.

`family` calls it at a threshold crossing, and in each tick of an open episode. The guarantee holds for the current
evidence only, never for running maxima.
"""

from __future__ import annotations

import numpy as np

from ..batch import Floats, Ints

FDR_LEVEL = 0.1  # expected share of named features that did not drift
COMPARABLE = 0.25  # share of the largest contribution from which another feature is named beside it


def e_bh(log_evidence: Floats, log_threshold: float) -> Ints:
    """Return the positions of the features that e-BH names, by descending evidence.

    Sorted by evidence, the k largest are named for the largest k with R_(k) >= threshold * d / (k * FDR_LEVEL). The
    false discovery rate is bounded for any dependence (Wang, Ramdas: False discovery rate control with e-values, JRSS B
    2022), but only for evidence at a stopping time. R over the threshold is an e-value as long as R has run for at most
    as many ticks as the threshold, because R - t is a supermartingale. After m times as many ticks, the level is m
    times as large.

    Args:
        log_evidence: [d] log R of each feature, weighted so that its expectation grows by at most one per tick.
        log_threshold: log of the family's alarm threshold.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.detection.attribution import e_bh
        >>> e_bh(np.log([2e4, 10.0, 5e5]), np.log(1000.0)).tolist()
        [2, 0]
    """
    d = len(log_evidence)
    order = np.argsort(-log_evidence, kind="stable")
    needed = log_threshold + np.log(d / (np.arange(1, d + 1) * FDR_LEVEL))
    passed = np.flatnonzero(log_evidence[order] >= needed)
    return order[: passed[-1] + 1] if len(passed) else order[:0]


def largest_contributors(log_evidence: Floats) -> Ints:
    """Return the positions of the largest contributor and of those close to it, by descending evidence.

    An alarm names them as unconfirmed if e-BH names no feature.
    """
    order = np.argsort(-log_evidence, kind="stable")
    near = log_evidence[order] >= log_evidence[order[0]] + np.log(COMPARABLE)
    out: Ints = order[near]
    return out
