"""Blocks of the Report about blind spots: what of the traffic cannot be measured, and the table of all reasons.

`analyzer/visibility` finds the blind spots. Metrics, pages and `/readyz` show them. `make generate` writes the table of
`docs/blind-spots.md` from `BLIND_REASONS`.
"""

from __future__ import annotations

from types import MappingProxyType

import msgspec


class BlindSpot(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the traffic that is not measured, or all of it.

    Attributes:
        reason: a key of `BLIND_REASONS`.
        text: what is not measured, how much of it, why, and what to do. It has no value that a client sent.
        since: when it was detected, in epoch seconds.
        total: whether nothing of the traffic is measured; False if a part is not.
    """

    reason: str
    text: str
    since: float
    total: bool


class BlindReason(msgspec.Struct, frozen=True):
    """The meaning of a reason, and what to do about it; Markdown."""

    meaning: str
    remedy: str


BLIND_REASONS = MappingProxyType(
    {
        "columns_absent": BlindReason(
            "Some columns of the profile have had no usable value in the recent rows: the requests lack them, or all "
            "their values are null or of another type.",
            "Send these columns under the profile's names. If the model does not use them any more, build a new "
            "profile.",
        ),
        "idle": BlindReason(
            "The document or the profile cannot be used, so nothing is decoded.",
            "Correct what the text names. Pilotfish checks both files each second.",
        ),
        "inputs_absent": BlindReason(
            "None of the profile's input columns has had a usable value in the recent rows.",
            "Compare the names in the profile (`pilotfish profile show`) with those in the requests. `findings` in "
            "`/report` lists the columns that arrive instead.",
        ),
        "labels_unused": BlindReason(
            "The recent labels were accepted and none could be scored, or none found its prediction.",
            "The text names the main cause: see [feedback.md](feedback.md).",
        ),
        "late_rows": BlindReason(
            "Most of the recent rows arrived after their tick had closed, so they count in a later tick.",
            "Synchronise the clocks of proxy and analyzer. If the analyzer is overloaded, lower "
            "`spec.traffic.maxRecordsPerSecond`.",
        ),
        "no_prediction_requests": BlindReason(
            "No request so far could be a prediction request: all use a method other than POST.",
            "Send the inputs in the body of a POST. Pilotfish does not read inputs from a query.",
        ),
        "no_profile": BlindReason(
            "The document asks for a profile and none is in force, so drift is not detected.",
            "The text names the cause: the version, the source, the learning, or a damaged stored profile.",
        ),
        "no_proxy": BlindReason(
            "The counter page is missing, damaged, has another layout, or its heartbeat is old: "
            "no proxy of this version runs.",
            "Start `pilotfish proxy` with the same `--shared` folder and from the same release.",
        ),
        "no_reader": BlindReason(
            "The proxy runs and is not connected to the analyzer, so it drops every record.",
            "Start proxy and analyzer with the same `--shared` folder and from the same release.",
        ),
        "not_recorded": BlindReason(
            "The proxy saw the recent exchanges, and most of them or all were not recorded.",
            "`channel_full`: give the analyzer more CPU, or lower "
            "`spec.traffic.maxRecordsPerSecond`. `capture_budget`: lower `spec.traffic.bodyLimit`. `rate` with the "
            "setting 0: raise `spec.traffic.maxRecordsPerSecond`.",
        ),
        "not_synced": BlindReason(
            "The controller has not had the counts of this pod for minutes, or the pod has no profile to count with. "
            "Drift is detected without this pod, or not at all.",
            "The text names the last problem: see [sync.md](sync.md). The pod keeps its ticks for an hour.",
        ),
        "nothing_watched": BlindReason(
            "The profile has no feature that can raise an alarm, or the document ignores all of them.",
            "Remove `ignore` under `spec.drift.features`, or build a profile with columns that vary.",
        ),
        "opaque": BlindReason(
            "Connections are relayed without being parsed: HTTP/2, gRPC, TLS, an upgrade, or no HTTP at all.",
            "Send HTTP/1.1 without TLS through the proxy. Put a TLS terminator before Pilotfish. The text names the "
            "reason; `pilotfish_downgrades_total` counts each one.",
        ),
        "predictions_absent": BlindReason(
            "Responses are decoded, and none of the profile's prediction columns has had a usable value in them.",
            "Name the prediction in the response as in the profile, or build the profile with `--prediction` and the "
            "name that the server uses.",
        ),
        "predictions_unread": BlindReason(
            "Inputs are measured, and some or all of the recent responses could not be decoded.",
            "The text names the [reason](protocols.md#reasons). For a JSON form of your own, set "
            "`spec.traffic.decode.predictions`.",
        ),
        "profile_mismatch": BlindReason(
            "Most or all of the recent rows name another model in their path than the profile does.",
            "Set `spec.model.name`, or put the profile of the model that runs into force.",
        ),
        "refused": BlindReason(
            "The proxy resets a tenth of the recent clients or more, or lets them wait, because it has no free "
            "descriptor or as many connections as allowed. Their requests reach neither the model nor the counters.",
            "Raise what the text names: the limit of open files, or `--max-connections`.",
        ),
        "undecoded": BlindReason(
            "Exchanges are recorded, and some or all of the recent ones could not be decoded.",
            "The text names the [reason](protocols.md#reasons). For a JSON form of your own, set "
            "`spec.traffic.decode`.",
        ),
        "unknown_names": BlindReason(
            "The document names features or columns that neither the profile nor the traffic has, so these settings "
            "have no effect.",
            "Correct the names. The text suggests the nearest one.",
        ),
        "upstream_unreachable": BlindReason(
            "The proxy cannot connect to the model server, or its name does not resolve.",
            "Start the model server, and check `--upstream`.",
        ),
    }
)

# found by the controller of a cluster, in addition to `idle` and `no_profile`
FLEET_BLIND_REASONS = MappingProxyType(
    {
        "bypassed": BlindReason(
            "The proxies of all pods have seen nothing but probes for 10 minutes, and a Service leads to the model's "
            "port, past the proxies.",
            "Restart the workload, so that the injector sees the Service that the text names as it is now.",
        ),
        "fleet_silent": BlindReason(
            "The controller does not hear from enough pods of the target, or cannot find the target, so ticks of the "
            "fleet stay open.",
            "Read the log of the analyzer in the silent pods, and check `spec.targetRef`.",
        ),
    }
)
