"""Drift of the model, and the quality of its data."""

from __future__ import annotations

from ...model import EVIDENCE, PSI, ZERO_IS_GOOD, Panel, Section, Target
from ...queries import LEAST_EVIDENCE, OF_PODS, evidence, grown, growth, of_model, results, series, total

_TOP = 10  # features in a panel
_PROFILES = series("pilotfish_profile_info", OF_PODS, 'model=~"$model"', 'version=~"$version"')
NO_PROFILE = "no profile is in force"


DRIFT = Section(
    "Drift",
    (
        Panel(
            "lines",
            "Evidence against the threshold",
            "Evidence of drift by family of features, divided by its threshold; 1 raises an alarm, after which it "
            "starts again.",
            (Target(evidence(results("pilotfish_drift_evidence_ratio", "family")), "{{version}} {{family}}"),),
            unit="none",
            empty=NO_PROFILE,
            steps=EVIDENCE,
            low=LEAST_EVIDENCE,
            log=True,
        ),
        Panel(
            "state",
            "Drift episodes",
            "When a drift episode was open, by version.",
            (Target(f"{results('pilotfish_episodes_open')} > bool 0", "{{model}} {{version}}"),),
            empty="no sidecar is scraped",
            steps=ZERO_IS_GOOD,
            states=(("0", "none", "green"), ("1", "open", "red")),
        ),
        Panel(
            "lines",
            "Alarms",
            "Alarms that were raised, by family of features.",
            (
                Target(
                    results("pilotfish_drift_alarms_total", "family", read=growth, combine=total),
                    "{{version}} {{family}}",
                ),
            ),
            empty=NO_PROFILE,
            steps=ZERO_IS_GOOD,
        ),
        Panel(
            "bars",
            "Features with most evidence",
            f"The {_TOP} features with most evidence of drift now, divided by the threshold of their family.",
            (
                Target(
                    f"sort_desc(topk({_TOP}, {evidence(results('pilotfish_feature_evidence_ratio', 'feature'))}))",
                    "{{feature}} {{version}}",
                ),
            ),
            unit="none",
            empty=NO_PROFILE,
            width=6,
            steps=EVIDENCE,
        ),
        Panel(
            "bars",
            "Features with the largest PSI",
            f"The {_TOP} features that differ most from the reference now, by population stability index; its usual "
            "reading calls 0.1 a change and 0.25 a large one.",
            (
                Target(
                    f"sort_desc(topk({_TOP}, {results('pilotfish_feature_psi', 'feature')}))", "{{feature}} {{version}}"
                ),
            ),
            unit="none",
            empty=NO_PROFILE,
            width=6,
            steps=PSI,
        ),
        Panel(
            "table",
            "Profile in force",
            "Profile that the traffic is compared with: its hash, the pods that use it, and its reference rows.",
            (
                Target(
                    f"count by (namespace, model, version, hash) ({_PROFILES})",
                    title="Used by",
                ),
                Target(
                    f"max by (namespace, model, version, hash) ({_PROFILES}"
                    f" * on (namespace, pod, model) group_left () max by (namespace, pod, model)"
                    f" ({series('pilotfish_profile_rows', OF_PODS)}))",
                    title="Reference rows",
                ),
            ),
            empty=NO_PROFILE,
            width=12,
        ),
    ),
)
QUALITY = Section(
    "Data quality",
    (
        Panel(
            "lines",
            "Open findings",
            "Open data-quality findings about the recent rows, by kind.",
            (Target(results("pilotfish_data_quality_findings_open", "kind"), "{{version}} {{kind}}"),),
            empty="no rows yet",
            steps=ZERO_IS_GOOD,
        ),
        Panel(
            "lines",
            "New findings",
            "Data-quality findings that began, by kind.",
            (
                Target(
                    results("pilotfish_data_quality_findings_total", "kind", read=growth, combine=total),
                    "{{version}} {{kind}}",
                ),
            ),
            empty="no rows yet",
            steps=ZERO_IS_GOOD,
        ),
        Panel(
            "lines",
            "Values of the wrong type",
            "Values whose type differs from that of their feature in the profile.",
            (Target(results("pilotfish_type_mismatches_total", read=growth, combine=total), "{{model}} {{version}}"),),
            empty=NO_PROFILE,
            steps=ZERO_IS_GOOD,
        ),
        Panel(
            "lines",
            "Streams of River detectors",
            "Last value of each number that a detector of River reads.",
            (Target(results("pilotfish_stream_value", "stream"), "{{stream}}"),),
            empty="the document has no River detectors",
            low=None,
        ),
        Panel(
            "lines",
            "Changes that River detectors reported",
            "Reported changes by detector and stream; with budget none, their false-alarm rate is unknown.",
            (
                Target(
                    results(
                        "pilotfish_stream_changes_total", "detector", "stream", "budget", read=growth, combine=total
                    ),
                    "{{detector}} {{stream}} ({{budget}})",
                ),
            ),
            empty="the document has no River detectors",
            steps=ZERO_IS_GOOD,
        ),
        Panel(
            "lines",
            "Closed ticks",
            "Ticks with rows that were closed; no tick means that no drift is looked for.",
            (Target(total(of_model(grown("pilotfish_ticks_total")), "pod"), "{{pod}}"),),
            empty="no rows yet",
        ),
    ),
)
