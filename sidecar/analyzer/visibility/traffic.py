"""Conditions about exchanges: opaque, not recorded, not decoded, without a prediction that can be read, late."""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import number
from ...report.problems import EVERYDAY, LANGUAGE_MODEL, OTHER_REMEDY, PROTOCOLS_PAGE, REMEDIES
from .blindness import Blindness, explained, reasons
from .history import Totals
from .paths import skip_meanings
from .readings import View
from .shares import FIRST, MANY, RECENT, unmeasured

OPAQUE_SHARE = 0.1  # of exchanges and opaque units, beside measured traffic
OPAQUE_READINGS = 10  # seconds without a measured exchange; opaque units are bytes, of which one connection has many
UNDECODED_SHARE = 0.1  # of exchanges: a second endpoint with a tenth of the predictions must not go unnoticed

DROPS: Mapping[str, str] = {
    "aborted": "the client or the model ended the exchange early",
    "capture_budget": "the memory for captured bodies is used up; lower spec.traffic.bodyLimit",
    "channel_full": "the analyzer reads too slowly; give it more CPU or lower spec.traffic.maxRecordsPerSecond",
    "downgraded": "the connection became opaque",
    "rate": "spec.traffic.maxRecordsPerSecond is 0",
    "version_mismatch": "proxy and analyzer are of different versions; use the same release",
}
OVER = (
    "analyzer_restart",
    "no_reader",
    "proxy_restart",
)  # in the past; the condition no_reader reports the present state
LOST_LATER = ("analyzer_restart", "proxy_restart", "version_mismatch")  # records that the channel had accepted
DOWNGRADES: Mapping[str, str] = {
    "connect": "CONNECT tunnels",
    "http2": "HTTP/2, such as gRPC",
    "internal": "a defect of the parser; please report it",
    "malformed": "HTTP with errors",
    "not_http": "no HTTP",
    "tls": "TLS; put a TLS terminator before Pilotfish",
    "too_costly": "parsing them costs too much",
    "too_large": "heads that are too large",
    "unmatched": "responses without a request",
    "upgrade": "upgrades, such as WebSocket",
}
_SEND_PLAIN = "send HTTP/1.1 without TLS through the proxy"
OPAQUE_REMEDIES: Mapping[str, str] = {
    "connect": "send requests without a tunnel through the proxy",
    "too_costly": "send requests with fewer, longer lines and chunks",
    "too_large": "send shorter heads",
    "upgrade": "messages of a WebSocket are not measured; send predictions as HTTP requests",
}
_OWN_RESPONSE = f"set rows and predictions in spec.traffic.decode for a JSON form of your own ({PROTOCOLS_PAGE})"
UNREAD_REMEDIES: Mapping[str, str] = {
    **{reason: REMEDIES[reason] for reason in ("body_too_large", "content_encoding", "event_stream", "truncated")},
    "content_type": f"respond with JSON; other forms are not decoded ({PROTOCOLS_PAGE})",
    "empty_body": "look at the model's log",
    "invalid_json": f"respond with JSON; other forms are not decoded ({PROTOCOLS_PAGE})",
    "no_match": f"correct the paths in spec.traffic.decode.predictions ({PROTOCOLS_PAGE})",
}
_PROBES = ", or list the paths of other endpoints in spec.traffic.probes"
OTHER_ENDPOINTS: Mapping[str, str] = {  # beside measured traffic, they are the likely cause
    **dict.fromkeys(("content_type", "invalid_json", "unknown_protocol"), _PROBES),
    "no_match": ", or leave out other endpoints with spec.traffic.decode.paths",
}


def measured(totals: Totals) -> int:
    """Return the measured exchanges."""
    return totals.of("outcome", "measured", "")


def undecodable(totals: Totals) -> dict[str, int]:
    """Return the exchanges that could not be decoded, by reason."""
    return reasons(totals.kind("outcome", "undecodable"))


def _failed(totals: Totals) -> int:
    """Return the exchanges that could not be decoded for a reason that is not everyday."""
    return sum(amount for reason, amount in undecodable(totals).items() if reason not in EVERYDAY)


def undecoded(view: View) -> Blindness | None:
    """Report that some or all of the recent exchanges could not be decoded."""
    if not measured(view.history.now):
        return _never_decoded(view)
    found = unmeasured(view, "undecoded", measured, _failed, UNDECODED_SHARE)
    if found is not None:
        bad = {reason: amount for reason, amount in undecodable(found).items() if reason not in EVERYDAY}
        return _undecoded(view, bad, _failed(found) + measured(found), total=not measured(found))
    return _everyday_only(view)


def _everyday_only(view: View) -> Blindness | None:
    """Return a partial blindness if all recent exchanges have everyday reasons: errors, or requests of another kind.

    Requests to other models do not count: beside them, the document's own model may be quiet. Those of language models
    have no rows.
    """

    def own(totals: Totals) -> dict[str, int]:
        return {
            reason: amount
            for reason, amount in undecodable(totals).items()
            if reason not in ("other_model", LANGUAGE_MODEL)
        }

    for least, decisive in ((RECENT, "error_status"), (MANY, "not_inference"), (MANY, "no_rows")):
        found = view.history.recent(lambda totals: measured(totals) + sum(own(totals).values()), least)
        if found is not None and not measured(found) and own(found).get(decisive, 0) >= least:
            return _undecoded(view, own(found), sum(own(found).values()), total=False)
    return None


def _never_decoded(view: View) -> Blindness | None:
    """Report even the first exchange that cannot be decoded, if none was decoded before; a few of them are total.

    Exchanges that were lost on the way count as well: the mixture of causes does not matter if nothing is measured.
    """
    now = view.history.now
    found = {reason: amount for reason, amount in undecodable(now).items() if reason != LANGUAGE_MODEL}
    failed, recorded = _failed(now), sum(found.values())
    if not failed and recorded < RECENT:
        return None
    lost = sum(count for reason, count in reasons(now.kind("outcome", "dropped")).items() if reason not in OVER)
    return _undecoded(view, found, recorded, total=failed + lost >= FIRST or recorded >= RECENT)


def _undecoded(view: View, found: Mapping[str, int], recorded: int, *, total: bool) -> Blindness:
    failed, causes = sum(found.values()), explained(found, skip_meanings(view, "input"))
    what = "None" if failed == recorded else f"Only {recorded - failed:,}"
    text = f"{what} of the last {number(recorded, 'recorded exchange')} could be measured: {causes}"
    if recorded == 1:
        text = f"The only recorded exchange could not be measured: {causes}"
    most = max(found, key=found.__getitem__)
    others = "" if total else OTHER_ENDPOINTS.get(most, "")
    return Blindness(f"{text}; {REMEDIES.get(most, OTHER_REMEDY)}{others}", total)


def opaque(view: View) -> Blindness | None:
    """Report that traffic passes without being parsed."""

    def units(totals: Totals) -> int:
        return totals.of("opaque", "units")

    def exchanges(totals: Totals) -> int:
        return measured(totals) + sum(undecodable(totals).values())

    found = unmeasured(view, "opaque", exchanges, units, OPAQUE_SHARE, readings=OPAQUE_READINGS)
    if found is None:
        return None
    total, connections = not measured(found), found.of("opaque", "connections")
    causes = reasons(found.kind("downgrade")) or reasons(view.history.now.kind("downgrade"))
    beside = "nothing else was measured" if total else f"{number(measured(found), 'exchange')} beside it were measured"
    return Blindness(
        f"Pilotfish cannot parse {'the traffic' if total else 'a part of the traffic'}: "
        f"{number(connections, 'new connection') if connections else 'connections that were open before'}, "
        f"{beside}. The causes: {explained(causes, DOWNGRADES)}; "
        f"{OPAQUE_REMEDIES.get(max(causes, key=causes.__getitem__, default=''), _SEND_PLAIN)}",
        total,
    )


def not_recorded(view: View) -> Blindness | None:
    """Report that the proxy saw exchanges, and most of them or all did not arrive at the analyzer."""
    setting = view.reading.setting.document
    closed = setting is not None and not setting.spec.traffic.max_records_per_second

    def lost(totals: Totals) -> dict[str, int]:
        dropped = reasons(totals.kind("outcome", "dropped"))
        found = {reason: amount for reason, amount in dropped.items() if reason not in OVER}
        rate = totals.of("outcome", "sampled_out", "rate")
        return {**found, "rate": rate} if closed and rate else found

    def arrived(totals: Totals) -> int:
        return totals.of("accepted") - sum(totals.of("outcome", "dropped", reason) for reason in LOST_LATER)

    found = unmeasured(view, "not_recorded", arrived, lambda totals: sum(lost(totals).values()))
    if found is None:
        return None
    gone, rest = lost(found), arrived(found)
    amount = sum(gone.values())
    what = "None" if not rest else f"Only {rest:,}"
    return Blindness(
        f"{what} of the last {number(amount + rest, 'exchange')} reached the analyzer: {explained(gone, DROPS)}",
        total=not rest,
    )


def no_prediction_requests(view: View) -> Blindness | None:
    """Report that every request so far used a method that carries no inputs."""
    now = view.history.now
    other = now.of("outcome", "sampled_out", "method")
    probes = now.of("outcome", "sampled_out", "route")
    if other < RECENT or now.of("accepted") or sum(now.kind("outcome").values()) > other + probes:
        return None
    return Blindness(
        f"No prediction request has come so far: {number(other, 'request')} used a method other than POST, "
        f"and Pilotfish reads inputs from the body of a POST only ({PROTOCOLS_PAGE})",
        total=False,
    )


def predictions_unread(view: View) -> Blindness | None:
    """Report that inputs are measured, and some or all of the recent responses could not be decoded."""
    profile = view.reading.snapshot.profile
    if profile is not None and not profile.prediction_columns:
        return None  # nothing of the responses is monitored

    def causes(totals: Totals) -> dict[str, int]:
        found = reasons(totals.kind("unread"))
        if profile is None:
            found.pop("no_predictions_path", None)  # the document asks for no predictions, and no profile needs them
        return found

    def unread(totals: Totals) -> int:
        return sum(causes(totals).values())

    found = unmeasured(
        view, "predictions_unread", lambda totals: measured(totals) - unread(totals), unread, UNDECODED_SHARE
    )
    if found is None:
        return None
    failed = unread(found)
    what = "No prediction" if failed >= measured(found) else f"Only {number(measured(found) - failed, 'prediction')}"
    most = max(causes(found), key=causes(found).__getitem__)
    return Blindness(
        f"{what} could be read from the last {number(measured(found), 'measured exchange')}: "
        f"{explained(causes(found), skip_meanings(view, 'prediction'))}; {UNREAD_REMEDIES.get(most, _OWN_RESPONSE)}",
        total=False,
    )


def late_rows(view: View) -> Blindness | None:
    """Report that most of the recent rows came after their tick had closed."""
    found = unmeasured(
        view,
        "late_rows",
        lambda totals: totals.of("rows", "input") - totals.of("late"),
        lambda totals: totals.of("late"),
    )
    if found is None or found.of("rows", "input") < MANY:
        return None
    return Blindness(
        f"{found.of('late'):,} of the last {number(found.of('rows', 'input'), 'row')} arrived after their tick had "
        "closed and count in a later one; synchronise the clocks, or give the analyzer more CPU",
        total=False,
    )
