"""The metrics of features: one series for each feature of the profile, and more for those with details.

`spec.metrics.features` chooses the features, and `spec.metrics.details` those with intervals and a distribution.
"""

from __future__ import annotations

from .metric import Metric

DRIFT = "Drift"
_FEATURE = ("model", "feature")

PSI = Metric(
    "pilotfish_feature_psi",
    "gauge",
    "Population stability index of the recent ticks against the reference, on tenths of the reference.",
    DRIFT,
    _FEATURE,
)
JENSEN_SHANNON = Metric(
    "pilotfish_feature_jensen_shannon_distance",
    "gauge",
    "Jensen-Shannon distance (base 2) of the recent ticks from the reference, on tenths of the reference.",
    DRIFT,
    _FEATURE,
)
WASSERSTEIN = Metric(
    "pilotfish_feature_wasserstein",
    "gauge",
    "Wasserstein distance of the finite values of the recent ticks, in the reference's standard deviations.",
    DRIFT,
    _FEATURE,
)
MISSING_RATIO = Metric(
    "pilotfish_feature_missing_ratio", "gauge", "Share of missing values in the recent ticks.", DRIFT, _FEATURE, "ratio"
)
UNSEEN_RATIO = Metric(
    "pilotfish_feature_unseen_ratio",
    "gauge",
    "Share of values in the recent ticks whose category is not in the reference.",
    DRIFT,
    _FEATURE,
    "ratio",
)
OUT_OF_RANGE_RATIO = Metric(
    "pilotfish_feature_out_of_range_ratio",
    "gauge",
    "Share of values in the recent ticks outside the range of the reference.",
    DRIFT,
    _FEATURE,
    "ratio",
)
FEATURE_EVIDENCE = Metric(
    "pilotfish_feature_evidence_ratio",
    "gauge",
    "Evidence of drift in one feature, divided by the threshold of its family.",
    DRIFT,
    _FEATURE,
    "ratio",
)
PSI_LOWER = Metric(
    "pilotfish_feature_psi_lower",
    "gauge",
    "Lower bound of the 95 % interval of the population stability index, without the noise of few rows.",
    DRIFT,
    _FEATURE,
)
PSI_UPPER = Metric(
    "pilotfish_feature_psi_upper",
    "gauge",
    "Upper bound of the 95 % interval of the population stability index, without the noise of few rows.",
    DRIFT,
    _FEATURE,
)
JENSEN_SHANNON_LOWER = Metric(
    "pilotfish_feature_jensen_shannon_distance_lower",
    "gauge",
    "Lower bound of the 95 % interval of the Jensen-Shannon distance, without the noise of few rows.",
    DRIFT,
    _FEATURE,
)
JENSEN_SHANNON_UPPER = Metric(
    "pilotfish_feature_jensen_shannon_distance_upper",
    "gauge",
    "Upper bound of the 95 % interval of the Jensen-Shannon distance, without the noise of few rows.",
    DRIFT,
    _FEATURE,
)
WASSERSTEIN_LOWER = Metric(
    "pilotfish_feature_wasserstein_lower",
    "gauge",
    "Lower bound of the 95 % interval of the Wasserstein distance, without the noise of few rows.",
    DRIFT,
    _FEATURE,
)
WASSERSTEIN_UPPER = Metric(
    "pilotfish_feature_wasserstein_upper",
    "gauge",
    "Upper bound of the 95 % interval of the Wasserstein distance, without the noise of few rows.",
    DRIFT,
    _FEATURE,
)
ONSET = Metric(
    "pilotfish_feature_onset_timestamp_seconds",
    "gauge",
    "Estimated begin of the drift of a feature that is part of an open episode, in epoch seconds.",
    DRIFT,
    _FEATURE,
    "seconds",
)
BIN_RATIO = Metric(
    "pilotfish_feature_bin_ratio",
    "gauge",
    "Share of the rows in a bin, in the window reference or current (the recent ticks, in an episode since its onset).",
    DRIFT,
    (*_FEATURE, "bin", "window"),
    "ratio",
)

METRICS = tuple(value for value in tuple(globals().values()) if isinstance(value, Metric))
