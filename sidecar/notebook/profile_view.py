"""What a notebook shows of a profile: rows of a table, and HTML with the pictures of the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ...detectors.losses.task import LOSS
from ...detectors.profile.feature import Feature
from ...detectors.profile.profile import Profile
from ..errors import number
from ..profiles.diff import missing_ratio
from ..profiles.show import reference_lines, typical_values
from ..report.pages import histogram
from ..report.pages.markup import name, share, text
from ..report.timeline.histogram_layout import HistogramLayout
from ..report.wording import RELATIONS
from . import html

FEATURES = (
    "name",
    "side",
    "family",
    "kind",
    "typical",
    "missing",
    "independent_rows",
    "smallest_shift",
    "rows_to_alarm",
)
DRAWN = 40  # features with a picture


def own_first(profile: Profile) -> list[Feature]:
    """Return the features in their order, those of single columns before the relations between columns."""
    return sorted(profile.features, key=lambda feature: feature.family == RELATIONS)


def feature_rows(profile: Profile) -> Iterator[Mapping[str, object]]:
    """Yield one row of `FEATURES` for each feature."""
    for feature in own_first(profile):
        yield {
            "name": feature.name,
            "side": feature.side,
            "family": feature.family,
            "kind": feature.kind,
            "typical": typical_values(feature),
            "missing": missing_ratio(feature),
            "independent_rows": feature.n_eff,
            "smallest_shift": feature.smallest_shift,
            "rows_to_alarm": feature.delay_rows,
        }


def profile_html(profile: Profile, excluded: Mapping[str, str], notes: Sequence[str]) -> str:
    """Return the reference, each feature of a column with its histogram, and what is not monitored."""
    shown = [feature for feature in own_first(profile) if feature.family != RELATIONS and feature.name != LOSS]
    heads = ("feature", "side", "kind", "reference", "1 % to 99 %, or top values", "#missing", "#1 sd in")
    lines = [(text(head), text(value)) for head, value in reference_lines(profile)]
    return "".join(
        [
            html.table(("", ""), lines),
            html.table(heads, map(_cells, shown[:DRAWN]), len(shown)),
            html.paragraph("1 sd in: rows until a shift of 1 standard deviation raises an alarm"),
            html.listed("Not monitored", [f"{column}: {why}" for column, why in excluded.items()]),
            html.listed("Warnings", profile.warnings),
            html.listed("Notes", notes),
        ]
    )


def _cells(feature: Feature) -> tuple[str, ...]:
    counts = np.zeros(feature.bins.size, dtype=np.int64)
    drawn = histogram.small(HistogramLayout.of(feature, 0.0).histogram(counts, None))
    delay = "never" if feature.delay_rows is None else number(round(feature.delay_rows), "row")
    return (
        name(feature.name),
        feature.side,
        feature.kind,
        html.picture(drawn, f"histogram of {feature.name}"),
        text(typical_values(feature)),
        share(missing_ratio(feature)),
        delay,
    )
