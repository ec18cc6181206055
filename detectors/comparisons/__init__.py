"""Comparisons: distances between reference and current counts, for people. They raise no alarm and have no threshold.

Terms
-----
comparison     a function of two count arrays [bins] that returns a score
score          a distance of the rows, with a 95 % interval for that of their distributions; 0 means equal
effect size    how large a change is: all scores of one feature, and shares of missing, unseen and out-of-range rows
trend          effect sizes of one feature over successive windows
design effect  the number of consecutive rows that carry as much information as one independent row

Data flow
---------
reference counts, current counts -> `COMPARISONS` -> `effects.EffectSizeEstimator` -> EffectSizes
windows                          -> `trends.trends` -> Trend

PSI and Jensen-Shannon use groups of bins (`tenths`), the other comparisons all bins.

Terms of the whole package: docs/glossary.md.
"""

from __future__ import annotations

from .chi_square import chi_square
from .jensen_shannon import jensen_shannon_distance
from .ks import ks
from .psi import psi
from .score import Comparison
from .wasserstein import wasserstein

COMPARISONS: dict[str, Comparison] = {
    "chi_square": chi_square,
    "jensen_shannon_distance": jensen_shannon_distance,
    "ks": ks,
    "psi": psi,
    "wasserstein": wasserstein,
}
