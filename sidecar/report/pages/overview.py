"""The top of the page: state, notices, key figures, evidence over time; and the promise in words."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import number
from .. import wording
from ..columns import ordered
from ..response import ReportResponse
from ..schema import BlindSpot, EpisodeReport, FalseAlarmBudget
from ..timeline.schema import Timeline
from . import evidence
from .markup import Clock, name, period, section, text, time, whole
from .markup import evidence as evidence_text
from .meter import meter

STATES = {
    "blind": "blind",
    "idle": "idle",
    "partly_blind": "partly blind",
    "unprofiled": "no profile",
    "waiting": "no rows yet",
    "watching": "monitoring",
}
NO_ROWS = '<span class="soft">no rows yet</span>'
NAMED = 8  # features that a sentence names


def title(answer: ReportResponse) -> str:
    """Return model and version as plain text."""
    return f"{answer.model or 'Model'} {answer.version}".strip()


def window_title(answer: ReportResponse) -> str:
    """Return the title of the window as plain text; blindness comes first, so that it shows in a narrow tab."""
    word = {"blind": "Blind: ", "idle": "Idle: ", "partly_blind": "Partly blind: "}.get(state(answer), "")
    return f"{word}{title(answer)} · Pilotfish"


def state(answer: ReportResponse) -> str:
    """Return a key of STATES: blind spots come before the state of the analyzer."""
    if answer.state == "idle":
        return "idle"
    if answer.blind:
        return "blind" if any(spot.total for spot in answer.blind) else "partly_blind"
    return answer.state if answer.state == "unprofiled" or has_measured(answer) else "waiting"


def has_measured(answer: ReportResponse) -> bool:
    """Return whether any row was measured; `rows` may be empty in a report on stored rows."""
    return bool(input_rows(answer) or answer.ticks.closed_total)


def not_compared(answer: ReportResponse) -> str:
    """Return why no row was compared with the reference yet, as a sentence; empty if a tick has closed."""
    if not has_measured(answer):
        return "No rows have been measured yet, so nothing is known about drift."
    if not answer.ticks.closed_total:
        tick = period(answer.ticks.tick_seconds)
        return f"Nothing was compared with the reference yet, because no tick has closed; a tick lasts {tick}."
    return ""


def input_rows(answer: ReportResponse) -> int:
    """Return the measured rows."""
    return sum(item.rows for item in answer.rows if item.side == "input")


def head(answer: ReportResponse) -> str:
    """Return title, state, and the time of the report."""
    key = state(answer)
    badges = ['<span class="badge open">drift</span>'] if any(item.open for item in answer.episodes) else []
    if not badges or answer.blind:
        badges.append(f'<span class="badge {key}">{STATES[key]}</span>')
    mode = f" · mode {text(answer.mode)}" if answer.mode else ""
    since = f" · since {time(answer.started_at)}" if answer.started_at < answer.made_at else ""
    return (
        f"<h1>{name(title(answer))} {' '.join(badges)}</h1>"
        f'<p class="soft">as of {time(answer.made_at)}{mode}{since}</p>'
    )


def notices(answer: ReportResponse) -> str:
    """Return blind spots, open drift, the reason of the state, and warnings, as sentences.

    The absence of drift is shown as good news only if rows were compared and nothing is blind.
    """
    clock = Clock.of(answer.ticks)
    lines = [_blind(spot) for spot in answer.blind]
    open_causes = wording.causes([episode for episode in answer.episodes if episode.open])
    drifts = [_drift(cause, answer, clock) for cause in open_causes]
    lines += drifts
    if answer.state == "watching" and not drifts and not answer.blind and answer.families:
        unknown = not_compared(answer)
        lines.append(
            f'<p class="notice">{unknown}</p>' if unknown else '<p class="notice calm">No open drift episode.</p>'
        )
    if answer.reason and not any(spot.reason in ("idle", "no_profile") for spot in answer.blind):
        lines.append(f'<p class="notice {answer.state}">{text(answer.reason)}</p>')
    texts = {spot.text for spot in answer.blind}
    lines += [f'<p class="notice">{text(words)}</p>' for words in answer.warnings if words not in texts]
    return "".join(lines)


def _blind(spot: BlindSpot) -> str:
    """Return the banner of a blind spot."""
    kind, word = ("blind", "Blind") if spot.total else ("partly_blind", "Partly blind")
    return (
        f'<p class="notice {kind}" role="alert"><b>{word}</b>: {text(spot.text)} '
        f"<small>({text(spot.reason)}, since {time(spot.since)})</small></p>"
    )


def _drift(cause: Sequence[EpisodeReport], answer: ReportResponse, clock: Clock) -> str:
    found, since = wording.active(cause, answer.features), clock.start(cause[0].onset_tick)
    lines, folded = wording.headlines(found, since), wording.fold(found)
    what = "Higher loss" if cause[0].family == "performance" else "Drift"
    shown = [text(line) for line in lines[:NAMED]] or [f"no active feature, since {since}"]
    more = [f"and {number(len(lines) - NAMED, 'more column')}"] if len(lines) > NAMED else []
    more += [folded.summary] if folded.columns and folded.relations else []
    return f'<p class="notice open"><b>{what}</b>: {"<br>".join([*shown, *more])}</p>'


def tiles(answer: ReportResponse) -> str:
    """Return the key figures."""
    found = [("rows measured", whole(input_rows(answer))), ("ticks closed", whole(answer.ticks.closed_total))]
    if answer.accounting is not None:
        queued = sum(item.exchanges for item in answer.accounting.fates if item.fate == "queued")
        found = [("exchanges seen", whole(answer.accounting.seen)), *found, ("queued", whole(queued))]
    if answer.features:
        found.append(("columns monitored", whole(len(ordered(answer.features).columns))))
    if answer.budget is not None and answer.families:
        found.append(("alarms", whole(answer.budget.alarms_total)))
        found.append(("false alarms allowed", f"{answer.budget.false_alarms:g} in {period(answer.budget.per_seconds)}"))
    cells = "".join(f'<div class="tile"><b>{value}</b><small>{words}</small></div>' for words, value in found)
    return f'<div class="tiles">{cells}</div>'


def families(answer: ReportResponse, timeline: Timeline) -> str:
    """Return the evidence of each family, over time and now."""
    drawn = evidence.chart(answer, timeline)
    figure = f'<figure>{evidence.legend(timeline)}<div class="scroll">{drawn}</div></figure>' if drawn else ""
    rows = [
        (
            text(item.name)
            + ("<br><small>relations between columns</small>" if item.name == wording.RELATIONS else ""),
            f"{meter(item.evidence_ratio, 220)}{evidence_text(item.evidence_ratio)}"
            if has_measured(answer)
            else NO_ROWS,
            f"{item.share:.0%}".replace("%", " %"),
            whole(item.alarms_total),
        )
        for item in answer.families
    ]
    note = (
        f'{figure}<p class="soft">Evidence divided by its threshold, on a logarithmic scale: 1 is an alarm. After '
        f"an alarm, evidence starts again, without the features of the open episode.{_steps(timeline)}</p>"
    )
    return section("Evidence of drift", note, ("family", "evidence now", "#share of the budget", "#alarms"), rows)


def _steps(timeline: Timeline) -> str:
    widths = [span.ticks for span in timeline.spans]
    if len(set(widths)) < 2:
        return ""
    return " Each window has the same width in the chart: recent windows are ticks, older ones are hours or days."


def promise(answer: ReportResponse) -> str:
    """Return the section about the promise; empty without a budget."""
    budget = answer.budget
    if budget is None or not answer.families:
        return ""
    body = "".join(f"<p>{words}</p>" for words in sentences(budget, answer.ticks.tick_seconds))
    return f"<section><h2>The promise</h2>{body}</section>"


def sentences(budget: FalseAlarmBudget, tick_seconds: float) -> list[str]:
    """Return three paragraphs in HTML: the promise, its limits, and how many alarms to expect so far."""
    several = "" if budget.false_alarms == 1 else "s"
    allowed = (
        f"{budget.false_alarms:g} false alarm{several} in {period(budget.per_seconds)}: one in "
        f"{whole(budget.ticks_per_false_alarm)} ticks of {period(tick_seconds)}"
    )
    expected = budget.ticks_used / max(budget.ticks_per_false_alarm, 1e-9)
    raised = f"{whole(budget.alarms_total)} alarm{' was' if budget.alarms_total == 1 else 's were'} raised"
    promise_ = (
        f"While live rows follow the reference, expect <b>at most {allowed}</b>. This holds over all features and all "
        "families together, and for every look at the numbers."
    )
    limits = (
        f"Drift below the tolerance of {budget.tolerance:g} (a chi-square distance, close to PSI) counts as harmless "
        "and raises no alarm. The absence of an alarm does not prove that nothing changed: the warnings of the profile "
        "below list what it cannot detect."
    )
    so_far = (
        f"{whole(budget.ticks_used)} ticks with rows are closed so far. Expect at most {expected:.2g} false alarms in "
        f"them; {raised}."
    )
    return [promise_, limits, so_far]
