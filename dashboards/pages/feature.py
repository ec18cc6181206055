"""Feature: how the columns of one model differ from the reference, and since when."""

from __future__ import annotations

from dataclasses import replace

from ..model import EVIDENCE, PSI, Page, Panel, Section, Steps, Target
from ..queries import LEAST_EVIDENCE, MODEL_PODS, OF_PODS, evidence, mean, results, series, smallest
from .variables import FEATURE, MODEL, NAMESPACE, POD, VERSION

NO_PROFILE = "no profile is in force, or metrics of features are off"
NO_DETAILS = "no feature has drifted, or spec.metrics.details is none"
_FEATURE = 'feature=~"$feature"'
_RATIO: Steps = ((None, "green"), (0.05, "yellow"), (0.2, "red"))
_DISTANCE: Steps = ((None, "green"), (0.1, "yellow"), (0.3, "red"))
_DEVIATIONS: Steps = ((None, "green"), (0.25, "yellow"), (0.5, "red"))


def by_feature(metric: str) -> str:
    """Return a metric of features for the selected ones."""
    return results(metric, "feature", read=lambda selector: selector.replace("}", f", {_FEATURE}}}"))


def shares(window: str) -> str:
    """Return the shares of the bins by model, version and feature, in the window reference or current."""
    chosen = f'{_FEATURE}, window="{window}"'
    found = results(
        "pilotfish_feature_bin_ratio",
        "feature",
        "bin",
        read=lambda selector: selector.replace("}", f", {chosen}}}"),
        combine=mean,
    )
    return mean(found, "model", "version", "feature", "bin")


def since_onset() -> str:
    """Return the seconds since the earliest onset of the selected features in open episodes."""
    onset = results(
        "pilotfish_feature_onset_timestamp_seconds",
        "feature",
        read=lambda selector: selector.replace("}", f", {_FEATURE}}}"),
        combine=smallest,
    )
    return f"time() - ({onset})"


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


def _distance(title: str, description: str, metric: str, steps: Steps) -> Panel:
    """Return a distance over time with the bounds of its interval, where features have details."""
    bounds = (Target(by_feature(f"{metric}_{bound}"), f"{{{{feature}}}} {bound}") for bound in ("lower", "upper"))
    return replace(
        _over_time(title, description, metric, "none", steps, 12),
        targets=(Target(by_feature(metric), "{{feature}} {{version}}"), *bounds),
        dashed="/ (lower|upper)$/",
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
                Target(since_onset(), title="Drifts for", unit="s"),
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
        _distance(
            "Population stability index",
            "Difference of the recent ticks from the reference, on tenths of the reference; 0.1 is called a change and "
            "0.25 a large one. Dashed: the 95 % interval, which excludes the noise of few rows.",
            "pilotfish_feature_psi",
            PSI,
        ),
        _distance(
            "Jensen-Shannon distance",
            "Distance of the recent ticks from the reference, between 0 (equal) and 1. Dashed: the 95 % interval.",
            "pilotfish_feature_jensen_shannon_distance",
            _DISTANCE,
        ),
        _distance(
            "Wasserstein distance",
            "Mean shift of the finite values that turns the reference into the recent ticks, in standard deviations of "
            "the reference. Dashed: the 95 % interval.",
            "pilotfish_feature_wasserstein",
            _DEVIATIONS,
        ),
    ),
)
DISTRIBUTION = Section(
    "Distribution",
    (
        Panel(
            "table",
            "Distribution now and in the reference",
            "Share of the rows in each bin: tenths of the reference for numbers, the most frequent categories "
            "otherwise. Now means the recent ticks, or those since the onset.",
            (
                Target(shares("reference"), title="Reference", unit="percentunit", bar=True),
                Target(shares("current"), title="Now", unit="percentunit", bar=True),
            ),
            empty=NO_DETAILS,
            width=24,
            height=16,
            sort=("model", "feature", "version", "bin"),
        ),
        Panel(
            "lines",
            "Change of the shares",
            "Share of the rows in each bin, minus its share in the reference; a bin above zero has gained rows.",
            (Target(f"({shares('current')}) - ({shares('reference')})", "{{feature}} {{bin}}"),),
            unit="percentunit",
            empty=NO_DETAILS,
            width=24,
            low=None,
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
            "Which features have a distribution here, and where the others are shown.",
            content=(
                "By default, a feature has intervals and a distribution here while it drifts. `spec.metrics.details: "
                "all` exports them for every feature. Finer histograms are on the page `/report` of the admin "
                "address:\n\n"
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
    (OVERVIEW, DRIFT, DISTRIBUTION, QUALITY, PODS),
)
