"""The top of the page: the state in words, what to look at, a few numbers, evidence over time, and the promise."""

from __future__ import annotations

from ..response import ReportResponse
from ..schema import Episode, FalseAlarmBudget
from ..timeline.schema import Timeline
from . import evidence
from .markup import Clock, name, period, section, text, time, whole
from .markup import evidence as evidence_text
from .meter import meter

STATES = {"idle": "idle", "unprofiled": "no profile", "watching": "watching"}
NAMED = 8  # features that a sentence names


def title(answer: ReportResponse) -> str:
    """Return what the page is about, as plain text."""
    return f"{answer.model or 'Model'} {answer.version}".strip()


def head(answer: ReportResponse) -> str:
    """Return title, state and how old all this is."""
    drifting = any(episode.open for episode in answer.episodes)
    state, words = ("open", "drift") if drifting else (answer.state, STATES[answer.state])
    mode = f" · mode {text(answer.mode)}" if answer.mode else ""
    since = f" · since {time(answer.started_at)}" if answer.started_at < answer.made_at else ""
    return (
        f'<h1>{name(title(answer))} <span class="badge {state}">{words}</span></h1>'
        f'<p class="soft">as of {time(answer.made_at)}{mode}{since}</p>'
    )


def notices(answer: ReportResponse) -> str:
    """Return what a person should look at, in sentences."""
    clock = Clock.of(answer.ticks)
    lines = [_drift(episode, clock) for episode in answer.episodes if episode.open]
    if answer.state == "watching" and not lines and answer.families:
        lines.append('<p class="notice calm">No drift is known to be going on.</p>')
    if answer.reason:
        lines.append(f'<p class="notice {answer.state}">{text(answer.reason)}</p>')
    lines += [f'<p class="notice">{text(words)}</p>' for words in answer.warnings]
    return "".join(lines)


def _drift(episode: Episode, clock: Clock) -> str:
    names = [name(item.name) for item in episode.features if item.active]
    listed = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    what = "Worse" if episode.family == "performance" else "Drift"
    where = f"<b>{what}</b>: {text(episode.family)}, in {listed or 'no feature any more'}"
    return f'<p class="notice open">{where}, since {clock.start(episode.onset_tick)}</p>'


def tiles(answer: ReportResponse) -> str:
    """Return a few numbers."""
    rows = sum(item.rows for item in answer.rows if item.side == "input")
    found = [("rows measured", whole(rows)), ("ticks closed", whole(answer.ticks.closed_total))]
    if answer.accounting is not None:
        queued = sum(item.exchanges for item in answer.accounting.fates if item.fate == "queued")
        found = [("exchanges seen", whole(answer.accounting.seen)), *found, ("queued", whole(queued))]
    if answer.features:
        found.append(("features watched", whole(len(answer.features))))
    if answer.budget is not None and answer.families:
        found.append(("alarms", whole(answer.budget.alarms_total)))
        found.append(("false alarms allowed", f"{answer.budget.false_alarms:g} in {period(answer.budget.per_seconds)}"))
    cells = "".join(f'<div class="tile"><b>{value}</b><small>{words}</small></div>' for words, value in found)
    return f'<div class="tiles">{cells}</div>'


def families(answer: ReportResponse, line: Timeline) -> str:
    """Return evidence over time and as it is now."""
    drawn = evidence.chart(answer, line)
    figure = f'<figure>{evidence.legend(line)}<div class="scroll">{drawn}</div></figure>' if drawn else ""
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
        f'{figure}<p class="soft">Evidence over its threshold, on a logarithmic scale: 1 is an alarm. After an alarm '
        f"it begins anew, without the features of the open episode.{_steps(line)}</p>"
    )
    return section("Evidence of drift", note, ("family", "evidence now", "#share of the budget", "#alarms"), rows)


def _steps(line: Timeline) -> str:
    widths = [span.ticks for span in line.spans]
    if len(set(widths)) < 2:
        return ""
    return " Each window has the same width in the drawing: ticks where they are recent, hours or days before."


def promise(answer: ReportResponse) -> str:
    """Return the promise in words, what it means, and what is used of it."""
    budget = answer.budget
    if budget is None or not answer.families:
        return ""
    said = "".join(f"<p>{words}</p>" for words in sentences(budget, answer.ticks.tick_seconds))
    return f"<section><h2>What is promised</h2>{said}</section>"


def sentences(budget: FalseAlarmBudget, tick_seconds: float) -> list[str]:
    """Return the promise, what it means, and what is used of it, as HTML."""
    several = "" if budget.false_alarms == 1 else "s"
    allowed = (
        f"{budget.false_alarms:g} false alarm{several} in {period(budget.per_seconds)}: one in "
        f"{whole(budget.ticks_per_false_alarm)} ticks of {period(tick_seconds)}"
    )
    expected = budget.ticks_used / max(budget.ticks_per_false_alarm, 1e-9)
    raised = f"{whole(budget.alarms_total)} alarm{' was' if budget.alarms_total == 1 else 's were'} raised"
    promised = (
        f"While the rows are as they were in the reference, <b>at most {allowed}</b> is expected, over all features, "
        "all families and every look at the numbers, however often anybody looks."
    )
    harmless = (
        f"Drift below a tolerance of {budget.tolerance:g} (in units of chi-square, about PSI) is taken for harmless "
        "and raises no alarm. Silence does not prove that nothing has changed: what the profile cannot see stands "
        "with its warnings below."
    )
    used = (
        f"So far {whole(budget.ticks_used)} ticks with rows are closed: at most {expected:.2g} false alarms are "
        f"expected in them; {raised}."
    )
    return [promised, harmless, used]
