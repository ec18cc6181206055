"""What of the traffic is measured, and the rows that are stored."""

from __future__ import annotations

from ...model import SHARE_LOST, ZERO_IS_GOOD, Panel, Section, Target
from ...queries import equal, grown, of_model, rate, ratio, results, series, total

NO_TRAFFIC = "no requests"
_UNMEASURED = 'fate!="measured"'
_REASON = "{{reason}}"

VISIBILITY = Section(
    "Measured traffic and blind spots",
    (
        Panel(
            "state",
            "Blind spots",
            "When a part of the traffic was not measured, by reason; docs/blind-spots.md has the remedies.",
            (Target(f"max by (reason) ({of_model(series('pilotfish_blind'))}) > 0", _REASON),),
            empty="no blind spot in this time",
            steps=ZERO_IS_GOOD,
            states=(("0", "measured", "green"), ("1", "blind", "red")),
        ),
        Panel(
            "lines",
            "Exchanges that were not measured",
            "Share of the exchanges that left no rows, by outcome and reason.",
            (
                Target(
                    f"({total(of_model(rate('pilotfish_exchanges_total', _UNMEASURED)), 'fate', 'reason')})"
                    f" / on () group_left () ({total(of_model(rate('pilotfish_exchanges_seen_total')))} > 0) > 0",
                    "{{fate}} {{reason}}",
                ),
            ),
            unit="percentunit",
            empty="every exchange was measured",
            steps=SHARE_LOST,
        ),
        Panel(
            "lines",
            "Measured exchanges",
            "Share of the exchanges whose request became rows.",
            (
                Target(
                    ratio(
                        total(of_model(rate("pilotfish_exchanges_total", equal("fate", "measured"))), "pod"),
                        total(of_model(rate("pilotfish_exchanges_total")), "pod"),
                    ),
                    "{{pod}}",
                ),
            ),
            unit="percentunit",
            empty=NO_TRAFFIC,
            steps=((None, "red"), (0.9, "yellow"), (0.99, "green")),
        ),
        Panel(
            "lines",
            "Rows",
            "Decoded rows per second of inputs and predictions.",
            (Target(total(of_model(rate("pilotfish_rows_total")), "side"), "{{side}}"),),
            unit="rowsps",
            empty="no rows yet",
        ),
        Panel(
            "lines",
            "Unread predictions",
            "Measured exchanges per second whose response could not be decoded, by reason.",
            (Target(total(of_model(rate("pilotfish_predictions_unread_total")), "reason"), _REASON),),
            unit="reqps",
            empty="every response was decoded",
            steps=((None, "green"), (0.001, "yellow")),
        ),
        Panel(
            "lines",
            "Opaque traffic",
            "Bytes per second on connections that are relayed without being parsed, such as HTTP/2 or TLS.",
            (Target(total(of_model(rate("pilotfish_opaque_bytes_total")), "direction"), "{{direction}}"),),
            unit="Bps",
            empty="no proxy is up",
            steps=((None, "green"), (1, "yellow")),
        ),
        Panel(
            "lines",
            "Connections no longer parsed",
            "Connections whose bytes could not be followed, by reason.",
            (Target(total(of_model(grown("pilotfish_downgrades_total")), "reason"), _REASON),),
            empty="no proxy is up",
            steps=ZERO_IS_GOOD,
        ),
        Panel(
            "lines",
            "Late rows",
            "Rows that arrived after their tick had closed, by pod; they count in the open tick.",
            (Target(total(of_model(grown("pilotfish_late_rows_total")), "pod"), "{{pod}}"),),
            empty="no rows yet",
            steps=ZERO_IS_GOOD,
        ),
        Panel(
            "lines",
            "Requests with an id",
            "Share of measured exchanges that carry a request id, which labels need to join.",
            (Target(f"avg({of_model(series('pilotfish_request_id_ratio'))})", "with an id"),),
            unit="percentunit",
            empty="no request has an id",
            high=1,
        ),
    ),
)
LEARNING = Section(
    "Stored rows and learning",
    (
        Panel(
            "lines",
            "Rows for a learned profile",
            "Rows that are stored to learn a profile, and the number that is needed.",
            (Target(results("pilotfish_learning_rows", "kind"), "{{kind}}"),),
            empty="no profile is being learned",
        ),
        Panel(
            "lines",
            "Trials of a learned profile",
            "Trials of collected rows; the state gave_up means that none were stable.",
            (Target(results("pilotfish_learning_tries", "state"), "{{state}}"),),
            empty="no profile is being learned",
        ),
        Panel(
            "lines",
            "Stored rows",
            "Rows of traffic on disk, by store.",
            (Target(total(of_model(series("pilotfish_kept_rows")), "store"), "{{store}}"),),
            empty="no rows are stored",
        ),
        Panel(
            "lines",
            "Space of stored rows",
            "Disk space of the stored rows, by pod and store.",
            (Target(total(of_model(series("pilotfish_kept_rows_bytes")), "pod", "store"), "{{pod}} {{store}}"),),
            unit="bytes",
            empty="no rows are stored",
        ),
        Panel(
            "lines",
            "Rows that could not be stored",
            "Rows that were not written, because there was no space or a value cannot be written.",
            (Target(total(of_model(grown("pilotfish_rows_not_kept_total")), "store"), "{{store}}"),),
            empty="no rows are stored",
            steps=ZERO_IS_GOOD,
        ),
    ),
    collapsed=True,
)
