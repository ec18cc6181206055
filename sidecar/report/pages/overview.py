"""The top of the page: state, notices, key figures, evidence over time; and the promise in words."""

from __future__ import annotations

from ..response import ReportResponse
from ..schema import EpisodeReport, FalseAlarmBudget
from ..timeline.schema import Timeline
from . import evidence
from .markup import Clock, name, period, section, text, time, whole
from .markup import evidence as evidence_text
from .meter import meter

STATES = {"idle": "idle", "unprofiled": "no profile", "watching": "monitoring"}
NAMED = 8  # features that a sentence names


def title(answer: ReportResponse) -> str:
    """Return model and version as plain text."""
    return f"{answer.model or 'Model'} {answer.version}".strip()


def head(answer: ReportResponse) -> str:
    """Return title, state, and the time of the report."""
    drifting = any(episode.open for episode in answer.episodes)
    state, words = ("open", "drift") if drifting else (answer.state, STATES[answer.state])
    mode = f" · mode {text(answer.mode)}" if answer.mode else ""
    since = f" · since {time(answer.started_at)}" if answer.started_at < answer.made_at else ""
    return (
        f'<h1>{name(title(answer))} <span class="badge {state}">{words}</span></h1>'
        f'<p class="soft">as of {time(answer.made_at)}{mode}{since}</p>'
    )


def notices(answer: ReportResponse) -> str:
    """Return open drift, the reason of the state, and warnings, as sentences."""
    clock = Clock.of(answer.ticks)
    lines = [_drift(episode, clock) for episode in answer.episodes if episode.open]
    if answer.state == "watching" and not lines and answer.families:
        lines.append('<p class="notice calm">No open drift episode.</p>')
    if answer.reason:
        lines.append(f'<p class="notice {answer.state}">{text(answer.reason)}</p>')
    lines += [f'<p class="notice">{text(words)}</p>' for words in answer.warnings]
    return "".join(lines)


def _drift(episode: EpisodeReport, clock: Clock) -> str:
    names = [name(item.name) for item in episode.features if item.active]
    listed = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    what = "Higher loss" if episode.family == "performance" else "Drift"
    where = f"<b>{what}</b>: {text(episode.family)}, in {listed or 'no active feature'}"
    return f'<p class="notice open">{where}, since {clock.start(episode.onset_tick)}</p>'


def tiles(answer: ReportResponse) -> str:
    """Return the key figures."""
    rows = sum(item.rows for item in answer.rows if item.side == "input")
    found = [("rows measured", whole(rows)), ("ticks closed", whole(answer.ticks.closed_total))]
    if answer.accounting is not None:
        queued = sum(item.exchanges for item in answer.accounting.fates if item.fate == "queued")
        found = [("exchanges seen", whole(answer.accounting.seen)), *found, ("queued", whole(queued))]
    if answer.features:
        found.append(("features monitored", whole(len(answer.features))))
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
            text(item.name),
            f"{meter(item.evidence_ratio, 220)}{evidence_text(item.evidence_ratio)}",
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
