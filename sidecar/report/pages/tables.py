"""The tables of the page: episodes, intents, performance, traffic, accounting, the profile."""

from __future__ import annotations

from typing import Any

import msgspec

from ...errors import number
from ..columns import ordered
from ..problems import FINDINGS, REASONS, remedy
from ..response import ReportResponse, RouteTraffic
from ..schema import EpisodeReport, FeedbackStatus, LossEstimate, Performance, ScoreReport
from ..wording import RELATIONS, causes
from .markup import Clock, duration, fold, name, score, section, share, text, time, whole

LISTED_EPISODES = 30
LISTED_INTENTS = 20


def episodes(answer: ReportResponse) -> str:
    """Return the table of episodes, open ones first; those of one cause share a row."""
    found = list(causes(answer.episodes))
    rows = [_cause(item, Clock.of(answer.ticks)) for item in found[:LISTED_EPISODES]]
    more = len(found) - LISTED_EPISODES
    note = (
        '<p class="soft">Confirmed features: among all that are confirmed at a tick, at most 10 % have not drifted, '
        "on average. Likely features contribute most to the alarm.</p>"
    )
    note += f'<p class="soft">and {more} older episodes</p>' if more > 0 else ""
    return section("Episodes", note, ("episode", "state", "features", "onset", "opened", "closed"), rows)


def _cause(cause: tuple[EpisodeReport, ...], clock: Clock) -> tuple[str, ...]:
    episode = cause[0]
    state = '<span class="badge open">open</span>' if episode.open else f"ended: {text(episode.closed_by or '')}"
    members = [(one.family, item) for one in cause for item in one.features]
    columns, relations = (
        [
            f"{name(item.name)} <small>({'confirmed' if item.confirmed else 'likely'})</small>"
            for family, item in members
            if (family == RELATIONS) is related
        ]
        for related in (False, True)
    )
    names = ", ".join(columns)
    if relations:
        words = f"{'and ' if columns else ''}{number(len(relations), 'relation')} between columns"
        names += fold(words, ", ".join(relations))
    ticks = (episode.onset_tick, episode.opened_tick, episode.closed_tick)
    times = ("" if tick is None else clock.start(tick) for tick in ticks)
    ids = "<br>".join(f"<code>{text(one.id)}</code> <small>{text(one.family)}</small>" for one in cause)
    return (ids, state, names, *times)


def performance(answer: ReportResponse) -> str:
    """Return the table of losses with a sentence about labels, or that sentence alone."""
    found, feedback = answer.performance, answer.feedback
    came = ", ".join(f"{whole(item.labels)} {text(item.outcome)}" for item in feedback.labels if item.labels)
    if found is None:
        words = f'<p class="soft">{came}. {text(feedback.reason)}</p>'
        return f"<section><h2>Labels</h2>{words}</section>" if came else ""
    rows = [("in the reference", f"{found.reference:.3f}", "", "")]
    for kind, stretch, loss in (
        ("realized", "recently", found.realized),
        ("realized", "since the onset", found.since_onset),
        ("estimated", "without labels", found.estimated),
    ):
        if loss is not None:
            to_use = " <b>(use this value)</b>" if kind == found.believed else ""
            rows.append((f"{kind} {stretch}{to_use}", *_loss(loss, Clock.of(answer.ticks))))
    title = f"Performance: {found.loss}, {found.label} against {found.prediction}"
    return section(title, _labels(feedback, came, found), ("", "#loss", "#labelled or scored rows", "since"), rows)


def _labels(feedback: FeedbackStatus, came: str, found: Performance) -> str:
    words = [f"Labels: {came}" if came else "No labels yet"]
    if feedback.coverage is not None:
        words.append(f"{share(feedback.coverage)} of the predicted rows have a label")
    if feedback.identified_ratio is not None:
        words.append(f"{share(feedback.identified_ratio)} of the exchanges carry a request id")
    if feedback.lag is not None:
        words.append(f"half of the labels arrive within {duration(feedback.lag.p50)}")
    return f'<p class="soft">{"; ".join(filter(None, [*words, text(found.calibration)]))}.</p>'


def _loss(loss: LossEstimate, clock: Clock) -> tuple[str, str, str]:
    since = "" if loss.first_tick is None else clock.start(loss.first_tick)
    return score(ScoreReport(loss.value, loss.low, loss.high)), whole(loss.rows), since


def findings(answer: ReportResponse) -> str:
    """Return the table of data-quality findings."""
    clock = Clock.of(answer.ticks)
    rows = [
        (
            f"{text(item.kind.replace('_', ' '))}<br><small>{text(_advice(item.kind))}</small>",
            name(item.column) + (f" → {name(item.renamed_to)}" if item.renamed_to else "") + text(item.detail),
            text(item.side),
            clock.start(item.since_tick),
            whole(item.rows),
            share(item.share),
        )
        for item in answer.findings
    ]
    note = '<p class="soft">Findings raise no alarm. The metrics count them.</p>'
    return section("Data quality", note, ("finding", "column", "side", "since", "#rows", "#share"), rows)


def _advice(kind: str) -> str:
    meaning, remedy = FINDINGS.get(kind, ("", ""))
    return f"{meaning}; {remedy}" if meaning else ""


def intents(answer: ReportResponse) -> str:
    """Return the table of intents, with the problem of the control loop if it has one."""
    control = answer.control
    if control is None:
        return ""
    rows = [
        (
            text(item.kind),
            text(item.receiver),
            f"<code>{text(item.episode)}</code>",
            f'<span class="badge {text(item.state)}">{text(item.state)}</span> {text(item.reason)}',
            time(item.decided_at),
            whole(item.attempts),
            text(item.error or "") + (f"<br><small>next {time(item.next_at)}</small>" if item.next_at else ""),
        )
        for item in control.intents[:LISTED_INTENTS]
    ]
    heads = ("intent", "receiver", "cause", "state", "decided", "#attempts", "last error")
    problem = f'<p class="notice">{text(control.problem)}</p>' if control.problem else ""
    return (problem if not rows else "") + section("Requested actions and notifications", problem, heads, rows)


def columns(answer: ReportResponse) -> str:
    """Return the table of columns without a profile."""
    rows = [
        (name(item.name), text(item.side), whole(item.values), share(item.missing / max(1, item.values)))
        for item in answer.columns
    ]
    return section("Columns", "", ("column", "side", "#values", "#missing"), rows)


def routes(answer: ReportResponse) -> str:
    """Return the table of traffic by route."""
    rows = [_route(item) for item in answer.routes if item.in_flight or sum(item.requests.values())]
    return section("Traffic", "", ("route", "#requests", "by status", "#p50", "#p99", "#in flight"), rows)


def _route(route: RouteTraffic) -> tuple[str, ...]:
    codes = ", ".join(f"{text(code)} {whole(amount)}" for code, amount in route.requests.items() if amount)
    quantiles = (duration(route.seconds.get("p50")), duration(route.seconds.get("p99")))
    return (name(route.route), whole(sum(route.requests.values())), codes, *quantiles, whole(route.in_flight))


def accounting(answer: ReportResponse, live: bool) -> str:
    """Return the table of exchanges by outcome; with `live`, a missing counter page is reported."""
    found = answer.accounting
    if found is None:
        words = "No counter page. Start the proxy with the same --shared folder."
        return f"<section><h2>Accounting</h2><p>{words}</p></section>" if live else ""
    rows = [(text(item.fate), _reason(item.reason), whole(item.exchanges)) for item in found.fates if item.exchanges]
    rows.append(("<b>seen</b>", "", f"<b>{whole(found.seen)}</b>"))
    unread = sorted(answer.predictions_unread.items())
    rows += [("measured without predictions", _reason(reason), whole(amount)) for reason, amount in unread if amount]
    note = (
        '<p class="soft">Every exchange has one outcome, so seen = measured + sampled out + dropped + '
        "undecodable + queued.</p>"
    )
    return section("Accounting", note, ("outcome", "reason", "#exchanges"), rows)


def _reason(reason: str) -> str:
    """Return a reason with its meaning and what to do, where it is one of a decoder."""
    meaning = REASONS.get(reason, "")
    return f"{text(reason)}<br><small>{text(f'{meaning}; {remedy(reason)}')}</small>" if meaning else text(reason)


def profile(answer: ReportResponse) -> str:
    """Return the table about the profile in force, with its warnings."""
    found = answer.profile
    if found is None:
        return ""
    rows = [
        ("hash", f"<code>{text(found.hash)}</code>"),
        ("model, version", f"{text(found.model) or 'any'}, {text(found.version) or 'any'}"),
        ("created", text(found.created)),
        ("reference rows", whole(found.rows)),
        ("columns, features", f"{whole(len(ordered(answer.features).columns))}, {whole(found.features)}"),
        *(("not monitored", text(words)) for words in found.excluded),
    ]
    related = tuple(f"{item.name}: " for item in answer.features if item.family == RELATIONS)
    folded = [text(words) for words in found.warnings if words.startswith(related)]
    rows += [("warning", text(words)) for words in found.warnings if not words.startswith(related)]
    if folded:
        rows.append(("warning", fold(f"{len(folded)} about relations between columns", "<br>".join(folded))))
    return section("Profile in force", "", ("", ""), rows)


KNOWN = frozenset(
    [
        "accounting",
        "blind",
        "budget",
        "checkpoint",
        "columns",
        "control",
        "counts",
        "decisions",
        "episodes",
        "families",
        "features",
        "feedback",
        "findings",
        "findings_total",
        "format",
        "kept_rows",
        "learning",
        "made_at",
        "mode",
        "model",
        "performance",
        "predictions_unread",
        "profile",
        "reason",
        "routes",
        "rows",
        "started_at",
        "state",
        "streams",
        "sync",
        "ticks",
        "type_mismatches",
        "version",
        "warnings",
    ]
)


def others(answer: ReportResponse) -> str:
    """Return each block of the report that no other section shows, as a plain table."""
    made = ""
    for key, value in msgspec.to_builtins(answer).items():
        if key not in KNOWN and value:
            rows = [(text(str(inner)), _plain(item)) for inner, item in _items(value)]
            made += section(key.replace("_", " ").capitalize(), "", ("", ""), rows)
    return made


def _items(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, dict):
        return list(value.items())
    return list(enumerate(value, 1)) if isinstance(value, list) else [("", value)]


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{text(str(key))} {_plain(item)}" for key, item in value.items() if item is not None)
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return text(f"{value:.6g}" if isinstance(value, float) else str(value))
