"""Which features: the e-Benjamini-Hochberg procedure on the evidence at one moment."""

from __future__ import annotations

import numpy as np

from ..batch import Floats, Ints

FDR_LEVEL = 0.1  # expected share of named features that did not drift
COMPARABLE = 0.25  # of the largest contribution, from which another one is named beside it


def e_bh(log_evidence: Floats, log_threshold: float) -> Ints:
    """Positions of the features that e-BH names, by falling evidence.

    Sorted, the k largest are named for the largest k with R_(k) >= threshold * d / (k * LEVEL). It holds
    for any dependence (Wang, Ramdas: False discovery rate control with e-values, JRSS B 2022), but only for evidence
    at a stopping time, never for running maxima. R over the threshold is an e-value as long as R has run for no more
    ticks than the threshold, as it grows by at most one a tick; after m times as many the level is m times as large.

    Args:
        log_evidence: [d] log R of each feature, itself weighted to an expectation of at most one a tick.
        log_threshold: log of the family's alarm threshold.
    """
    d = len(log_evidence)
    order = np.argsort(-log_evidence, kind="stable")
    needed = log_threshold + np.log(d / (np.arange(1, d + 1) * FDR_LEVEL))
    passed = np.flatnonzero(log_evidence[order] >= needed)
    return order[: passed[-1] + 1] if len(passed) else order[:0]


def largest_contributors(log_evidence: Floats) -> Ints:
    """Positions of the largest contributor and of those that come near it, by falling evidence.

    For a page on which e-BH names nobody: these are named as unconfirmed.
    """
    order = np.argsort(-log_evidence, kind="stable")
    near = log_evidence[order] >= log_evidence[order[0]] + np.log(COMPARABLE)
    out: Ints = order[near]
    return out
