"""Pure functions (reference, current) -> Score, for people to look at. They raise no alarm and know no threshold.

Each takes counts by cell and says how far the two are apart, with an interval that knows how few rows there are. The
table below is what effect sizes are made of.
"""

from __future__ import annotations

from .chi_square import chi_square
from .jensen_shannon import jensen_shannon
from .ks import ks
from .psi import psi
from .score import Comparison
from .wasserstein import wasserstein

COMPARISONS: dict[str, Comparison] = {
    "chi_square": chi_square,
    "jensen_shannon": jensen_shannon,
    "ks": ks,
    "psi": psi,
    "wasserstein": wasserstein,
}
