"""How the story goes on: folded from messages and reports; pure, so that tests only feed.

preparing -> stable -> changed -> alarmed -> retraining -> settling -> closed
any of them -> failed, with the reason
"""

from __future__ import annotations

from dataclasses import replace

from ..report.schema import Episode, Report
from .messages import AnyMessage, DayReplayed, GatheringRows, ProcessFailure, Retrained, WebhookDelivery
from .state import DemoAlarm, DemoState, TimelineEntry, Tone, date_of, height

SLOWEST_ALARM = 15  # days after the change without an alarm, after which the demo gives up
RESTORED = 1.5  # the error counts as restored when it is at most so many times what it was before the change


def add_entry(story: DemoState, text: str, tone: Tone = "plain") -> DemoState:
    """Return the story with one more line in its timeline."""
    return replace(story, happenings=(*story.happenings, TimelineEntry(story.today, text, tone)))


def fail(story: DemoState, reason: str) -> DemoState:
    """Return the story ended without success, unless it has ended already."""
    return story if story.over else add_entry(replace(story, phase="failed", failure=reason), reason, "bad")


def on_message(story: DemoState, message: AnyMessage) -> DemoState:
    """Return the story after a message of one of the processes."""
    if story.over:  # the replay ends its day
        return replace(story, days=(*story.days, message)) if isinstance(message, DayReplayed) else story
    match message:
        case DayReplayed():
            return _settle(_day(story, message))
        case WebhookDelivery(verdict="accepted"):
            story = replace(story, delivery=message)
            return story if story.alarm is None else _accepted(story)  # the next report explains it first
        case WebhookDelivery():
            return add_entry(story, f"webhook {message.verdict}: {message.reason}")
        case GatheringRows():
            return replace(story, gathering=message)
        case Retrained():
            text = f"retrained on {message.rows:,} rows; model swapped, new profile handed over"
            return add_entry(replace(story, retrained=message), text, "change")
        case ProcessFailure():
            return fail(story, message.reason)
    return story


def on_report(story: DemoState, report: Report) -> DemoState:
    """Return the story after a look at the analyzer's report."""
    if story.over:
        return story
    story = replace(_with_trails(story, report), report=report)
    if report.state != "watching":
        return fail(story, f"the analyzer does not watch: {report.reason}") if story.days else story
    if story.phase == "preparing" and story.days:
        story = replace(story, phase="stable")
    opened = tuple(episode for episode in report.episodes if episode.open)
    if story.alarm is None and report.episodes:
        return _alarm(story, report)
    if (
        story.in_force_day is None
        and story.retrained
        and report.profile
        and report.profile.hash == story.retrained.profile
    ):
        text = "new profile in force: the episode is closed" if not opened else "new profile in force"
        return add_entry(replace(story, in_force_day=story.today, phase="settling"), text, "good")
    if story.in_force_day is not None and opened:
        return fail(
            story, f"a second alarm, for {', '.join(_alarm_of(opened, report).features)}, after the new profile"
        )
    return story


def _with_trails(story: DemoState, report: Report) -> DemoState:
    """Add what the newly closed tick brought, if one has closed."""
    if story.report is not None and story.report.ticks.last_closed == report.ticks.last_closed:
        return story
    psi = {feature.name: feature.effects.psi.value for feature in report.features if feature.effects}
    evidence = {family.name: height(family, report) for family in report.families}
    return replace(story, psi=_longer(story.psi, psi), evidence=_longer(story.evidence, evidence))


def _longer(trails: dict[str, tuple[float, ...]], values: dict[str, float]) -> dict[str, tuple[float, ...]]:
    return trails | {name: (*trails.get(name, ()), value) for name, value in values.items()}


def _day(story: DemoState, day: DayReplayed) -> DemoState:
    first_changed = day.changed and not any(past.changed for past in story.days)
    story = replace(story, days=(*story.days, day))
    if len(story.days) == 1:
        story = add_entry(replace(story, phase="stable"), "traffic begins: one second stands for one day of flights")
    if first_changed:
        text = f"INJECTED: {story.plan.change_origin}'s feed now gives distances in kilometres, not miles"
        story = add_entry(replace(story, phase="changed"), text, "change")
    if story.alarm is None and day.number >= story.plan.change_day + SLOWEST_ALARM:
        return fail(story, f"no alarm within {SLOWEST_ALARM} days of the change")
    return story


def _alarm(story: DemoState, report: Report) -> DemoState:
    alarm = _alarm_of(report.episodes, report)
    onset = story.day_of(alarm.onset_tick)
    since = f", since {date_of(onset):%-d %b}" if onset is not None else ""
    effect = "".join(
        f", PSI {alarm.effects[name].psi.value:.2f}" for name in alarm.features[:1] if name in alarm.effects
    )
    story = add_entry(
        replace(story, alarm=alarm, phase="alarmed"), f"ALARM: {', '.join(alarm.features)}{since}{effect}", "alarm"
    )
    at = story.day_of(alarm.opened_tick)
    if at is None or at < story.plan.change_day:
        return fail(story, f"a false alarm before the change, for {', '.join(alarm.features)}")
    return _accepted(story) if story.delivery is not None else story


def _accepted(story: DemoState) -> DemoState:
    story = replace(story, phase="retraining")
    return add_entry(story, "webhook received, signature good; gathering labelled rows", "change")


def _alarm_of(episodes: tuple[Episode, ...], report: Report) -> DemoAlarm:
    return DemoAlarm(
        episodes=episodes,
        opened_tick=min(episode.opened_tick for episode in episodes),
        onset_tick=min(episode.onset_tick for episode in episodes),
        effects={feature.name: feature.effects for feature in report.features if feature.effects},
    )


def _settle(story: DemoState) -> DemoState:
    """Close the loop when the days since the new profile were quiet and the error is what it was."""
    if story.in_force_day is None or story.today is None or story.today < story.in_force_day + story.plan.settled_days:
        return story
    before = story.error_between(story.plan.first_day, story.plan.change_day)
    after = story.error_between(story.in_force_day + 1)
    if before is None or after is None or after > RESTORED * before:
        return fail(story, f"the error is {after} minutes after the retraining; it was {before} before the change")
    return add_entry(
        replace(story, phase="closed"), f"{story.plan.settled_days} quiet days: the loop has closed", "good"
    )
