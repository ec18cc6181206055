"""The loss of the model, and the labels that it is computed from."""

from __future__ import annotations

from ...model import Panel, Section, Target
from ...queries import of_model, quantile, rate, results, series, total

NO_LABELS = "no labels were sent"


def _of_reference(selector: str) -> str:
    """Return `selector`, restricted to the loss in the reference."""
    return selector.replace("}", ', kind="reference"}')


LABELS = Section(
    "Performance and labels",
    (
        Panel(
            "lines",
            "Mean loss",
            "Mean loss of the model: in the reference, of labelled rows (realized), and without labels (estimated).",
            (Target(results("pilotfish_model_loss", "kind"), "{{version}} {{kind}}"),),
            unit="none",
            empty="the profile has no labels",
        ),
        Panel(
            "lines",
            "Loss against the reference",
            "Realized and estimated loss divided by that of the reference; above 1, the model is worse.",
            (
                Target(
                    f"({results('pilotfish_model_loss', 'kind')}) / on (namespace, model, version) group_left ()"
                    f" ({results('pilotfish_model_loss', read=_of_reference)} > 0)",
                    "{{version}} {{kind}}",
                ),
            ),
            unit="percentunit",
            empty="the profile has no labels",
            steps=((None, "green"), (1.1, "yellow"), (1.5, "red")),
        ),
        Panel(
            "lines",
            "Labels by outcome",
            "Labels per second by outcome; unknown labels name a request that is not stored.",
            (
                Target(total(of_model(rate("pilotfish_feedback_total")), "outcome"), "{{outcome}}"),
                Target(
                    total(rate("pilotfish_control_feedback_total", scope='namespace=~"$namespace"'), "outcome"),
                    "{{outcome}} (controller)",
                ),
            ),
            unit="ops",
            empty=NO_LABELS,
        ),
        Panel(
            "lines",
            "Label lag",
            "Quantiles of the time from an exchange to the label of its row.",
            tuple(
                Target(quantile(share, "pilotfish_feedback_lag_seconds"), f"p{share * 100:.0f}")
                for share in (0.5, 0.95)
            ),
            unit="s",
            empty=NO_LABELS,
        ),
        Panel(
            "lines",
            "Predictions with a label",
            "Share of the stored predictions that have a label, by pod.",
            (Target(f"max by (namespace, pod) ({of_model(series('pilotfish_feedback_coverage_ratio'))})", "{{pod}}"),),
            unit="percentunit",
            empty=NO_LABELS,
            high=1,
        ),
        Panel(
            "lines",
            "Predictions without a label",
            "Stored predictions that wait for their label.",
            (Target(total(of_model(series("pilotfish_feedback_pending_rows")), "pod"), "{{pod}}"),),
            empty=NO_LABELS,
        ),
        Panel(
            "lines",
            "Labels without a loss",
            "Accepted labels per second that led to no loss, by reason.",
            (Target(total(of_model(rate("pilotfish_feedback_unused_total")), "reason"), "{{reason}}"),),
            unit="ops",
            empty="every label led to a loss",
            steps=((None, "green"), (0.001, "yellow")),
        ),
        Panel(
            "lines",
            "Repeated request ids",
            "Exchanges per second that repeat an earlier request id, so that their label joins the earlier exchange.",
            (Target(total(of_model(rate("pilotfish_request_ids_reused_total")), "pod"), "{{pod}}"),),
            unit="reqps",
            empty="no request has an id",
            steps=((None, "green"), (0.001, "yellow")),
        ),
    ),
)
