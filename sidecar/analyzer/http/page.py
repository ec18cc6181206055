"""The Report as one page: readable in any browser, light or dark, without a script. Every text of others is escaped."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from importlib.resources import files

from pilotfish.sidecar.analyzer.http import figures
from pilotfish.sidecar.analyzer.publish import Published
from pilotfish.sidecar.report import Episode, Feature, Loss, Report, Score
from pilotfish.sidecar.telemetry.account import Account
from pilotfish.sidecar.telemetry.reading import Reading

STYLE = files("pilotfish.sidecar.analyzer.http").joinpath("style.css").read_text()
_STYLE_HASH = b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)

DRAWN_FEATURES = 12
LISTED_FEATURES = 200
LISTED_EPISODES = 20
STATES = {"idle": "idle", "unprofiled": "no profile", "watching": "watching"}


@dataclass(frozen=True)
class Shown:
    """What one page is made of; `account` is None without a proxy."""

    published: Published
    reading: Reading
    account: Account | None


def render(shown: Shown) -> str:
    """Return the page."""
    report = shown.published.report
    title = f"{report.model or 'Model'} {report.version}".strip()
    parts = (
        _head(report, title, shown.reading.now),
        _notices(report),
        _tiles(shown),
        _families(report),
        _episodes(report),
        _performance(report),
        _intents(shown.reading),
        _features(shown),
        _columns(report),
        _routes(shown.reading),
        _account(shown.account),
        _profile(report),
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)} · Pilotfish</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body><main>{''.join(parts)}</main></body></html>"
    )


def _head(report: Report, title: str, now: float) -> str:
    mode = f" · mode {escape(report.mode)}" if report.mode else ""
    return (
        f'<h1>{escape(title)} <span class="badge {report.state}">{STATES[report.state]}</span></h1>'
        f'<p class="soft">as of {_time(now)}{mode} · since {_time(report.started_at)} · '
        "the same as JSON: <code>GET /report</code> · numbers for Prometheus: <code>GET /metrics</code></p>"
    )


def _notices(report: Report) -> str:
    lines = []
    for episode in report.episodes:
        if episode.open:
            names = ", ".join(item.name for item in episode.features if item.active)
            since = _tick(episode.onset_tick, report.ticks.tick_seconds)
            what = "Worse" if episode.family == "performance" else "Drift"
            lines.append(f'<p class="notice open"><b>{what}</b> in {escape(names)} since {since}</p>')
    if report.reason:
        lines.append(f'<p class="notice {report.state}">{escape(report.reason)}</p>')
    lines += [f'<p class="notice">{escape(text)}</p>' for text in report.warnings]
    return "".join(lines)


def _tiles(shown: Shown) -> str:
    report = shown.published.report
    rows = sum(item.rows for item in report.rows if item.side == "input")
    tiles = [("rows measured", _whole(rows)), ("ticks closed", _whole(report.ticks.closed_total))]
    if shown.account is not None:
        tiles.insert(0, ("exchanges seen", _whole(shown.account.seen)))
        tiles.append(("queued", _whole(shown.account.queued)))
    if report.budget is not None and report.families:
        budget = report.budget
        tiles.append(("alarms", _whole(budget.alarms_total)))
        promise = f"{budget.false_alarms:g} in {budget.per_seconds / 86400:g} days"
        tiles.append(("false alarms allowed", promise))
    cells = "".join(
        f'<div class="tile"><b>{escape(value)}</b><small>{escape(name)}</small></div>' for name, value in tiles
    )
    return f'<div class="tiles">{cells}</div>'


def _families(report: Report) -> str:
    rows = [
        (
            escape(item.name),
            f"{figures.meter(item.evidence_ratio, 220)}{_evidence(item.evidence_ratio)}",
            _whole(item.alarms_total),
        )
        for item in report.families
    ]
    note = (
        '<p class="soft">Evidence over its threshold, on a logarithmic scale; a full bar, 1, is an alarm. '
        "After an alarm it begins anew, without the features of the open episode.</p>"
    )
    return _section("Evidence of drift", note, ("family", "evidence", "#alarms"), rows)


def _episodes(report: Report) -> str:
    rows = [_episode(item, report.ticks.tick_seconds) for item in report.episodes[:LISTED_EPISODES]]
    return _section("Episodes", "", ("episode", "state", "features", "onset", "opened", "closed"), rows)


def _episode(episode: Episode, tick_seconds: float) -> tuple[str, ...]:
    state = '<span class="badge open">open</span>' if episode.open else f"ended: {escape(episode.closed_by or '')}"
    names = ", ".join(
        escape(item.name) + ("" if item.confirmed else " <small>(unconfirmed)</small>") for item in episode.features
    )
    ticks = (episode.onset_tick, episode.opened_tick, episode.closed_tick)
    return (f"<code>{escape(episode.id)}</code>", state, names, *(_tick(tick, tick_seconds) for tick in ticks))


def _performance(report: Report) -> str:
    """Return the losses, with what is known of the labels that they come from."""
    found, feedback = report.performance, report.feedback
    came = ", ".join(f"{_whole(item.labels)} {item.outcome}" for item in feedback.labels if item.labels)
    if found is None:
        return f'<h2>Labels</h2><p class="soft">{came}. {escape(feedback.reason)}</p>' if came else ""
    shares = [
        f"{value:.1%} {what}"
        for value, what in (
            (feedback.coverage, "of the predicted rows have their label"),
            (feedback.identified_ratio, "of the exchanges carry an id"),
        )
        if value is not None
    ]
    lag = f"half of the labels come within {_duration(feedback.lag.p50)}" if feedback.lag else ""
    words = [f"Labels: {came}" if came else "No labels yet", *shares, *filter(None, (lag,)), escape(found.calibration)]
    note = f'<p class="soft">{"; ".join(word for word in words if word)}.</p>'
    rows = [("in the reference", f"{found.reference:.3f}", "", "")]
    for kind, stretch, loss in (
        ("realized", "recently", found.realized),
        ("realized", "since the onset", found.since_onset),
        ("estimated", "without labels", found.estimated),
    ):
        if loss is not None:
            believed = " <b>(believed)</b>" if kind == found.believed else ""
            rows.append((f"{kind} {stretch}{believed}", *_loss(loss, report.ticks.tick_seconds)))
    title = f"Performance: {found.loss}, {found.label} against {found.prediction}"
    return _section(title, note, ("", "#loss", "#labelled or scored rows", "since"), rows)


def _loss(loss: Loss, tick_seconds: float) -> tuple[str, str, str]:
    score = _score(Score(loss.value, loss.low, loss.high))
    return score, _whole(loss.rows), _tick(loss.first_tick, tick_seconds)


def _intents(reading: Reading) -> str:
    status = reading.control
    if status is None:
        return ""
    rows = [
        (
            escape(item.kind),
            f"<code>{escape(item.episode)}</code>",
            f'<span class="badge {escape(item.state)}">{escape(item.state)}</span> {escape(item.reason)}',
            _time(item.decided_at),
            _whole(item.attempts),
            escape(item.error or "") + (f"<br><small>next {_time(item.next_at)}</small>" if item.next_at else ""),
        )
        for item in status.intents[:LISTED_EPISODES]
    ]
    heads = ("intent", "episode", "state", "decided", "#attempts", "last failure")
    hindered = f'<p class="notice">{escape(status.problem)}</p>' if status.problem else ""
    return (hindered if not rows else "") + _section("What was asked for", hindered, heads, rows)


def _features(shown: Shown) -> str:
    report = shown.published.report
    ranked = sorted(report.features, key=_rank)
    rows = [
        (*_feature(item, report), _histogram(shown.published, item) if place < DRAWN_FEATURES else "")
        for place, item in enumerate(ranked[:LISTED_FEATURES])
    ]
    note = (
        '<p class="soft">Effect sizes of the recent ticks against the reference, for people to look at; alarms come '
        'from the evidence alone. <span class="key"><i></i>reference<i class="new"></i>recent ticks</span></p>'
    )
    if len(ranked) > LISTED_FEATURES:
        note += f"<p>The first {LISTED_FEATURES} of {len(ranked)} features; <code>GET /report</code> has all.</p>"
    heads = ("feature", "evidence", "#PSI", "#shift, sd", "#missing", "#unseen", "#out of range", "values")
    return _section("Features", note, heads, rows)


def _rank(feature: Feature) -> tuple[float, float, str]:
    psi = feature.effects.psi.value if feature.effects else 0.0
    return -(feature.evidence_ratio or 0.0), -psi, feature.name


def _feature(feature: Feature, report: Report) -> tuple[str, ...]:
    name = f"{escape(feature.name)}<br><small>{escape(feature.kind)}, {escape(feature.side)}</small>"
    if feature.partners:
        name += f"<br><small>with {escape(', '.join(feature.partners))}</small>"
    evidence = ""
    if report.families and feature.evidence_ratio is not None:
        evidence = (
            f'<span class="fixed">{figures.meter(feature.evidence_ratio)}{_evidence(feature.evidence_ratio)}</span>'
        )
    if feature.onset_tick is not None and feature.episode_id:
        evidence += f'<br><small class="fixed">since {_tick(feature.onset_tick, report.ticks.tick_seconds)}</small>'
    effects = feature.effects
    if effects is None:
        return (name, evidence, "", "", "", "", "")
    missing = f"{effects.missing_ratio:.2%}<br><small>was {effects.missing_ratio_reference:.2%}</small>"
    ratios = (f"{effects.unseen_ratio:.2%}", f"{effects.out_of_range_ratio:.2%}")
    return (name, evidence, _score(effects.psi), _score(effects.wasserstein), missing, *ratios)


def _histogram(published: Published, feature: Feature) -> str:
    profile, recent = published.profile, published.recent
    if profile is None or recent is None:
        return ""
    reference = profile.feature(feature.name)
    old, new = reference.reference_counts.tolist(), recent.of(profile, feature.name).tolist()
    shares = [[count / max(1, sum(counts)) for count in counts] for counts in (old, new)]
    kept = [at for at, label in enumerate(reference.labels) if shares[0][at] or shares[1][at] or not label]
    return figures.histogram(
        [reference.labels[at] for at in kept], [shares[0][at] for at in kept], [shares[1][at] for at in kept]
    )


def _columns(report: Report) -> str:
    rows = [
        (escape(item.name), escape(item.side), _whole(item.values), f"{item.missing / max(1, item.values):.2%}")
        for item in report.columns
    ]
    return _section("Columns", "", ("column", "side", "#values", "#missing"), rows)


def _routes(reading: Reading) -> str:
    rows = []
    for route in reading.page.routes if reading.page else ():
        total = sum(route.codes.values())
        if total or route.in_flight:
            codes = ", ".join(f"{code} {_whole(amount)}" for code, amount in route.codes.items() if amount)
            waits = route.histograms["duration"]
            quantiles = (_duration(waits.quantile(0.5)), _duration(waits.quantile(0.99)))
            rows.append((escape(route.route), _whole(total), codes, *quantiles, _whole(route.in_flight)))
    return _section("Traffic", "", ("route", "#requests", "by status", "#p50", "#p99", "#in flight"), rows)


def _account(account: Account | None) -> str:
    if account is None:
        return "<h2>Accounting</h2><p>No counter page: the proxy is not running with the same shared folder.</p>"
    rows = [
        (escape(fate), escape(reason), _whole(amount))
        for (fate, reason), amount in sorted(account.fates.items())
        if amount
    ]
    rows.append(("<b>seen</b>", "", f"<b>{_whole(account.seen)}</b>"))
    note = '<p class="soft">Every exchange has one fate; together they are all that the proxy has seen.</p>'
    return _section("Accounting", note, ("fate", "reason", "#exchanges"), rows)


def _profile(report: Report) -> str:
    profile = report.profile
    if profile is None:
        return ""
    rows = [
        ("hash", f"<code>{escape(profile.hash)}</code>"),
        ("model, version", f"{escape(profile.model) or 'any'}, {escape(profile.version) or 'any'}"),
        ("created", escape(profile.created)),
        ("reference rows", _whole(profile.rows)),
        ("features", _whole(profile.features)),
        *(("left out", escape(text)) for text in profile.excluded),
        *(("warning", escape(text)) for text in profile.warnings),
    ]
    return _section("Profile in force", "", ("", ""), rows)


def _section(title: str, note: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a headed table of HTML cells, or nothing without rows; a head that begins with # is of a number."""
    kinds = [' class="number"' if head.startswith("#") else "" for head in heads]
    body = ["".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds, row, strict=True)) for row in rows]
    if not body:
        return ""
    head = "".join(f"<th{kind}>{escape(text.lstrip('#'))}</th>" for kind, text in zip(kinds, heads, strict=True))
    top = f"<thead><tr>{head}</tr></thead>" if any(heads) else ""
    table = f"<table>{top}<tbody>{''.join(f'<tr>{cells}</tr>' for cells in body)}</tbody></table>"
    return f'<h2>{escape(title)}</h2>{note}<div class="scroll">{table}</div>'


def _evidence(ratio: float) -> str:
    """Return a ratio as far as it matters: a thousand alarms are no more than one."""
    return "&gt; 1000" if ratio > 1000 else "&lt; 0.0001" if ratio < 1e-4 else f"{ratio:.2g}"


def _score(score: Score | None) -> str:
    if score is None:
        return ""
    return f"{score.value:.3f}<br><small>{score.low:.3f} – {score.high:.3f}</small>"


def _tick(tick: int | None, tick_seconds: float) -> str:
    return "" if tick is None else _time(tick * tick_seconds)


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def _whole(number: int) -> str:
    return f"{number:,}".replace(",", "\u202f")
