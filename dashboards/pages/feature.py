"""Feature: how the columns of one model differ from the reference, and since when."""

from __future__ import annotations

from ..model import EVIDENCE, PSI, Page, Panel, Section, Steps, Target
from ..queries import LEAST_EVIDENCE, MODEL_PODS, OF_PODS, evidence, results, series
from .variables import FEATURE, MODEL, NAMESPACE, POD, VERSION

NO_PROFILE = "no profile is in force, or metrics of features are off"
_FEATURE = 'feature=~"$feature"'
_RATIO: Steps = ((None, "green"), (0.05, "yellow"), (0.2, "red"))
_DISTANCE: Steps = ((None, "green"), (0.1, "yellow"), (0.3, "red"))
_DEVIATIONS: Steps = ((None, "green"), (0.25, "yellow"), (0.5, "red"))


def by_feature(metric: str) -> str:
    """Return a metric of features for the selected ones."""
    return results(metric, "feature", read=lambda selector: selector.replace("}", f", {_FEATURE}}}"))


def _over_time(
    title: str, description: str, metric: str, unit: str, steps: Steps, width: int = 8, *, log: bool = False
) -> Panel:
    return Panel(
        "lines",
        title,
        description,
        (Target(evidence(by_feature(metric)) if log else by_feature(metric), "{{feature}} {{version}}"),),
        unit=unit,
        empty=NO_PROFILE,
        width=width,
        steps=steps,
        low=LEAST_EVIDENCE if log else 0,
        log=log,
    )


OVERVIEW = Section(
    "Features",
    (
        Panel(
            "table",
            "Features",
            "Each feature with its evidence of drift and its difference from the reference in the recent ticks.",
            (
                Target(
                    evidence(by_feature("pilotfish_feature_evidence_ratio")),
                    title="Evidence",
                    unit="none",
                    steps=EVIDENCE,
                ),
                Target(by_feature("pilotfish_feature_psi"), title="PSI", unit="none", steps=PSI),
                Target(
                    by_feature("pilotfish_feature_jensen_shannon_distance"),
                    title="Jensen-Shannon",
                    unit="none",
                    steps=_DISTANCE,
                ),
                Target(
                    by_feature("pilotfish_feature_wasserstein"), title="Wasserstein", unit="none", steps=_DEVIATIONS
                ),
                Target(
                    by_feature("pilotfish_feature_missing_ratio"), title="Missing", unit="percentunit", steps=_RATIO
                ),
                Target(by_feature("pilotfish_feature_unseen_ratio"), title="Unseen", unit="percentunit", steps=_RATIO),
                Target(
                    by_feature("pilotfish_feature_out_of_range_ratio"),
                    title="Out of range",
                    unit="percentunit",
                    steps=_RATIO,
                ),
            ),
            empty=NO_PROFILE,
            width=24,
            height=10,
            links=(("feature", "pilotfish-feature"),),
        ),
    ),
)
DRIFT = Section(
    "Drift over time",
    (
        _over_time(
            "Evidence against the threshold",
            "Evidence of drift of each feature, divided by the threshold of its family; 1 confirms its drift, and its "
            "rise shows the onset.",
            "pilotfish_feature_evidence_ratio",
            "none",
            EVIDENCE,
            12,
            log=True,
        ),
        _over_time(
            "Population stability index",
            "Difference of the recent ticks from the reference, on tenths of the reference; 0.1 is called a change and "
            "0.25 a large one.",
            "pilotfish_feature_psi",
            "none",
            PSI,
            12,
        ),
        _over_time(
            "Jensen-Shannon distance",
            "Distance of the recent ticks from the reference, between 0 (equal) and 1.",
            "pilotfish_feature_jensen_shannon_distance",
            "none",
            _DISTANCE,
            12,
        ),
        _over_time(
            "Wasserstein distance",
            "Mean shift of the finite values that turns the reference into the recent ticks, in standard deviations of "
            "the reference.",
            "pilotfish_feature_wasserstein",
            "none",
            _DEVIATIONS,
            12,
        ),
    ),
)
QUALITY = Section(
    "Missing and unusual values",
    (
        _over_time(
            "Missing values",
            "Share of missing values in the recent ticks.",
            "pilotfish_feature_missing_ratio",
            "percentunit",
            _RATIO,
        ),
        _over_time(
            "Unseen categories",
            "Share of values whose category is not in the reference.",
            "pilotfish_feature_unseen_ratio",
            "percentunit",
            _RATIO,
        ),
        _over_time(
            "Out of range",
            "Share of values outside the range of the reference.",
            "pilotfish_feature_out_of_range_ratio",
            "percentunit",
            _RATIO,
        ),
    ),
)
PODS = Section(
    "Pods",
    (
        Panel(
            "lines",
            "PSI by pod",
            "Difference of each pod's own rows from the reference; a single pod that differs points to its callers.",
            (
                Target(
                    f"topk(10, {series('pilotfish_feature_psi', OF_PODS, _FEATURE)}"
                    f" * on (namespace, pod) group_left (version) {MODEL_PODS})",
                    "{{pod}} {{feature}}",
                ),
            ),
            unit="none",
            empty=NO_PROFILE,
            width=12,
            steps=PSI,
        ),
        Panel(
            "text",
            "Distributions",
            "Where the distributions of a feature are shown.",
            content=(
                "Metrics carry one number per feature. The distributions of a feature, now and in the reference, its "
                "onset, and the intervals of the distances are on the page `/report` of the admin address:\n\n"
                "```sh\nkubectl port-forward POD 9797:9797\npilotfish report --html report.html --token-file TOKEN\n```"
            ),
            width=12,
        ),
    ),
)
PAGE = Page(
    "feature",
    "Pilotfish / Feature",
    "The features of one model against the reference: drift, missing, unseen and out-of-range values.",
    (NAMESPACE, MODEL, VERSION, POD, FEATURE),
    (OVERVIEW, DRIFT, QUALITY, PODS),
)
