"""Pure functions (reference, current) -> Score, for people to look at. They raise no alarm and know no threshold.

Each takes counts by cell and says how far the two are apart, with an interval that knows how few rows there are. The
table below is what effect sizes are made of.
"""

from __future__ import annotations

from pilotfish.detectors.comparisons.chi_square import chi_square
from pilotfish.detectors.comparisons.jensen_shannon import jensen_shannon
from pilotfish.detectors.comparisons.ks import ks
from pilotfish.detectors.comparisons.psi import psi
from pilotfish.detectors.comparisons.score import Comparison
from pilotfish.detectors.comparisons.wasserstein import wasserstein

COMPARISONS: dict[str, Comparison] = {
    "chi_square": chi_square,
    "jensen_shannon": jensen_shannon,
    "ks": ks,
    "psi": psi,
    "wasserstein": wasserstein,
}
