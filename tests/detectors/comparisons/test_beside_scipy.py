"""Effect sizes agree with scipy and Evidently on the raw rows.

The tolerances have two reasons. Numbers are counted in about 40 bins: a gap of two distribution functions is at most
the share of one bin larger between two borders. PSI and Jensen-Shannon use tenths, which are made of these bins, so
their borders lie up to 1/64 beside the deciles of the raw rows; where a bin is nearly empty, this matters most for PSI.
The noise of few rows differs from bins to bins, by about 10 / rows for PSI and 0.6 / sqrt(rows) for Jensen-Shannon.
Wasserstein places a row inside the range at the mean of the reference rows of its bin; the outermost bins are wide, so
that each of few rows matters. Outside the range it is exact.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pilotfish.detectors.batch import Array, Batch, Floats
from pilotfish.detectors.comparisons.effects import EffectSizeEstimator, EffectSizes
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.summaries.counts import TickCounts
from tests.support.extras import extras_python
from tests.support.waiting import patient

OUTSIDE = """
import json, sys, warnings
import numpy as np, pandas as pd
from scipy import stats
from scipy.spatial.distance import jensenshannon
warnings.simplefilter("ignore")
from evidently.legacy.calculations.stattests.psi import _psi
from evidently.legacy.calculations.stattests.wasserstein_distance_norm import _wasserstein_distance_norm
from evidently.legacy.core import ColumnType

def shares(of, groups):
    found = np.array([(of == group).mean() for group in groups])
    return found

def numbers(old, new):
    missing = np.isnan(old).mean(), np.isnan(new).mean()
    old, new = old[~np.isnan(old)], new[~np.isnan(new)]
    inner = np.unique(np.quantile(old, np.arange(1, 10) / 10))
    def binned(*edges):
        edges = np.concatenate(edges)
        return [np.append(np.histogram(x, edges)[0] / len(x) * (1 - gap), gap) for x, gap in zip((old, new), missing)]
    below, above = np.nextafter(old.min(), -np.inf), np.nextafter(old.max(), np.inf)
    distance = jensenshannon(*binned([-np.inf, below], inner, [above, np.inf]), 2)
    p, q = binned([-np.inf], inner, [np.inf])
    p, q = p[p + q > 0], q[p + q > 0]
    raw = {
        "ks": float(stats.ks_2samp(old, new).statistic),
        "wasserstein": float(stats.wasserstein_distance(old, new) / old.std()),
        "evidently": float(_wasserstein_distance_norm(pd.Series(old), pd.Series(new), ColumnType.Numerical, 1)[0]),
        "jensen_shannon_distance": float(distance),
    }
    return raw | ({"psi": float(((p - q) * np.log(p / q)).sum())} if (p * q > 0).all() else {})

def categories(old, new):
    names = np.unique(np.concatenate([old, new]))
    p, q = (shares(of, names) for of in (old, new))
    return {
        "jensen_shannon_distance": float(jensenshannon(p, q, 2)),
        "psi": float(((p - q) * np.log(p / q)).sum()),
        "evidently": float(_psi(pd.Series(old), pd.Series(new), ColumnType.Categorical, 1)[0]),
    }

found = {}
for path in sys.argv[1:]:
    both = np.load(path)
    found[path] = (numbers if both["old"].dtype.kind == "f" else categories)(both["old"], both["new"])
print(json.dumps(found))
"""
REFERENCE_ROWS, SIZES = 20_000, (100, 300, 1000, 100_000)


def normal(rng: np.random.Generator, rows: int) -> Floats:
    return rng.normal(10.0, 3.0, rows)


def skewed(rng: np.random.Generator, rows: int) -> Floats:
    return rng.lognormal(size=rows)


def gaps(rng: np.random.Generator, rows: int) -> Floats:
    return np.where(rng.random(rows) < 0.1, np.nan, rng.gamma(2.0, size=rows))


CHANGES = {
    "none": lambda x: x,
    "small": lambda x: x + 0.1 * np.nanstd(x),
    "shift": lambda x: x + np.nanstd(x),
    "wider": lambda x: np.nanmean(x) + 1.5 * (x - np.nanmean(x)),
    "unit": lambda x: 1000 * x,
}
CASES = [(draw, change, rows) for draw in (normal, skewed, gaps) for change in CHANGES for rows in SIZES]


def sizes_of(old: Array, new: Array) -> EffectSizes:
    profile = build_profile({"x": old}, exchangeable=True)
    counting = TickCounts(profile)
    counting.add(Batch({"x": new}, len(new)))
    counts = counting.take()
    sizes = EffectSizeEstimator.of(profile.feature("x")).measure(counts.bin_counts, counts.excess[0], 0, 0, 0)
    assert sizes is not None
    return sizes


def outside(folder: Path, pairs: dict[str, tuple[Array, Array]]) -> dict[str, dict[str, float]]:
    """Return what scipy and Evidently say about each pair."""
    paths = {}
    for name, (old, new) in pairs.items():
        paths[str(folder / f"{name}.npz")] = name
        np.savez(folder / f"{name}.npz", old=old, new=new)
    done = subprocess.run(
        [extras_python(), "-c", OUTSIDE, *paths], capture_output=True, text=True, check=False, timeout=patient(100)
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return {paths[path]: values for path, values in found.items()}


@pytest.mark.real
@pytest.mark.timeout(300)
def test_numbers_agree_with_scipy_and_evidently(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    pairs = {
        f"{draw.__name__}-{change}-{rows}": (draw(rng, REFERENCE_ROWS), CHANGES[change](draw(rng, rows)))
        for draw, change, rows in CASES
    }
    for name, theirs in outside(tmp_path, pairs).items():
        ours = sizes_of(*pairs[name])
        assert ours.wasserstein is not None
        assert ours.ks is not None
        assert ours.wasserstein.value == pytest.approx(theirs["wasserstein"], rel=0.05, abs=0.01 + 2 / ours.rows), name
        assert theirs["evidently"] == pytest.approx(theirs["wasserstein"], rel=1e-6), name
        assert theirs["ks"] - 1 / 32 - 0.005 <= ours.ks.value <= theirs["ks"] + 1e-9, name
        assert ours.jensen_shannon_distance.value == pytest.approx(
            theirs["jensen_shannon_distance"], rel=0.12, abs=0.01 + 0.6 / ours.rows**0.5
        ), name
        if "psi" in theirs:
            assert ours.psi.value == pytest.approx(theirs["psi"], rel=0.25, abs=0.01 + 10 / ours.rows), name


@pytest.mark.real
@pytest.mark.timeout(300)
def test_categories_agree_with_scipy_and_evidently(tmp_path: Path) -> None:
    rng, names = np.random.default_rng(9), np.array(["Bern", "Oslo", "Rome", "Wien"])
    pairs = {
        str(rows): (rng.choice(names, REFERENCE_ROWS), rng.choice(names, rows, p=[0.2, 0.2, 0.2, 0.4]))
        for rows in SIZES
    }
    for name, theirs in outside(tmp_path, pairs).items():
        ours = sizes_of(*pairs[name])
        assert ours.psi.value == pytest.approx(theirs["psi"], rel=1e-9)
        assert ours.psi.value == pytest.approx(theirs["evidently"], rel=1e-9)
        assert ours.jensen_shannon_distance.value == pytest.approx(theirs["jensen_shannon_distance"], rel=1e-9)
        assert ours.wasserstein is ours.ks is None


@pytest.mark.parametrize("change", CHANGES)
def test_wasserstein_is_that_of_the_raw_values(change: str) -> None:
    """For samples of the same size it is the mean distance of the sorted values, so that no scipy is needed."""
    rng = np.random.default_rng(3)
    old, new = normal(rng, 5000), CHANGES[change](normal(rng, 5000))
    exact = float(np.abs(np.sort(old) - np.sort(new)).mean() / old.std())
    found = sizes_of(old, new).wasserstein
    assert found is not None
    assert found.value == pytest.approx(exact, rel=0.02, abs=0.01)


def test_a_constant_reference_has_no_wasserstein_and_missing_values_no_order() -> None:
    assert sizes_of(np.full(500, 7.0), np.full(100, 8.0)).wasserstein is None
    old = np.random.default_rng(1).normal(size=500)
    nothing = sizes_of(old, np.full(100, np.nan))
    assert nothing.wasserstein is nothing.ks is None
    infinite = sizes_of(old, np.full(100, np.inf))
    assert infinite.wasserstein is None
    assert infinite.ks is not None
    assert infinite.ks.value == pytest.approx(1.0)


def test_disjoint_samples_have_the_jensen_shannon_distance_one() -> None:
    rng = np.random.default_rng(2)
    found = sizes_of(rng.normal(size=5000), rng.normal(size=300) + 1000).jensen_shannon_distance
    assert found.value == pytest.approx(1.0, abs=0.005)  # some reference rows lie outside the range, too
