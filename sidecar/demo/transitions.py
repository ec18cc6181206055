"""Transitions of the demo's state: pure functions of the state and a message or report.

preparing -> stable -> changed -> alarmed -> retraining -> settling -> closed
any of them -> failed, with the reason
"""

from __future__ import annotations

from dataclasses import replace

from ..report.schema import EpisodeReport, Report
from .messages import AnyMessage, DayReplayed, GatheringRows, ProcessFailure, Retrained, WebhookDelivery
from .state import DemoAlarm, DemoState, TimelineEntry, Tone, date_of, height

SLOWEST_ALARM = 15  # days without an alarm after the change until the demo gives up
RESTORED = 1.5  # the error is restored when it is at most this multiple of the error before the change


def add_entry(state: DemoState, text: str, tone: Tone = "plain") -> DemoState:
    """Return the state with one more line in its timeline."""
    return replace(state, entries=(*state.entries, TimelineEntry(state.today, text, tone)))


def fail(state: DemoState, reason: str) -> DemoState:
    """Return the state as failed, unless it has ended already."""
    return state if state.over else add_entry(replace(state, phase="failed", failure=reason), reason, "bad")


def on_message(state: DemoState, message: AnyMessage) -> DemoState:
    """Return the state after a message from one of the processes."""
    if state.over:  # the replay finishes its day
        return replace(state, days=(*state.days, message)) if isinstance(message, DayReplayed) else state
    match message:
        case DayReplayed():
            return _settle(_day(state, message))
        case WebhookDelivery(verdict="accepted"):
            state = replace(state, delivery=message)
            return state if state.alarm is None else _accepted(state)  # the alarm is added first, with the next report
        case WebhookDelivery():
            return add_entry(state, f"webhook {message.verdict}: {message.reason}")
        case GatheringRows():
            return replace(state, gathering=message)
        case Retrained():
            text = f"retrained on {message.rows:,} rows; new model and new profile in place"
            return add_entry(replace(state, retrained=message), text, "change")
        case ProcessFailure():
            return fail(state, message.reason)
    return state


def on_report(state: DemoState, report: Report) -> DemoState:
    """Return the state after a report of the analyzer."""
    if state.over:
        return state
    state = replace(_with_trails(state, report), report=report)
    if report.state != "watching":
        return fail(state, f"the analyzer does not monitor: {report.reason}") if state.days else state
    if state.phase == "preparing" and state.days:
        state = replace(state, phase="stable")
    opened = tuple(episode for episode in report.episodes if episode.open)
    if state.alarm is None and report.episodes:
        return _alarm(state, report)
    if (
        state.in_force_day is None
        and state.retrained
        and report.profile
        and report.profile.hash == state.retrained.profile
    ):
        text = "new profile in force: the episode is closed" if not opened else "new profile in force"
        return add_entry(replace(state, in_force_day=state.today, phase="settling"), text, "good")
    if state.in_force_day is not None and opened:
        return fail(
            state, f"a second alarm, naming {', '.join(_alarm_of(opened, report).features)}, after the new profile"
        )
    return state


def _with_trails(state: DemoState, report: Report) -> DemoState:
    """Add the figures of the newly closed tick, if there is one."""
    if state.report is not None and state.report.ticks.last_closed == report.ticks.last_closed:
        return state
    psi = {feature.name: feature.effects.psi.value for feature in report.features if feature.effects}
    evidence = {family.name: height(family, report) for family in report.families}
    return replace(state, psi=_longer(state.psi, psi), evidence=_longer(state.evidence, evidence))


def _longer(trails: dict[str, tuple[float, ...]], values: dict[str, float]) -> dict[str, tuple[float, ...]]:
    return trails | {name: (*trails.get(name, ()), value) for name, value in values.items()}


def _day(state: DemoState, day: DayReplayed) -> DemoState:
    first_changed = day.changed and not any(past.changed for past in state.days)
    state = replace(state, days=(*state.days, day))
    if len(state.days) == 1:
        state = add_entry(replace(state, phase="stable"), "traffic starts: one second stands for one day of flights")
    if first_changed:
        text = f"INJECTED: the feed of {state.plan.change_origin} now sends distances in kilometres instead of miles"
        state = add_entry(replace(state, phase="changed"), text, "change")
    if state.alarm is None and day.number >= state.plan.change_day + SLOWEST_ALARM:
        return fail(state, f"no alarm within {SLOWEST_ALARM} days of the change")
    return state


def _alarm(state: DemoState, report: Report) -> DemoState:
    alarm = _alarm_of(report.episodes, report)
    onset = state.day_of(alarm.onset_tick)
    since = f", since {date_of(onset):%-d %b}" if onset is not None else ""
    state = add_entry(replace(state, alarm=alarm, phase="alarmed"), f"ALARM: {alarm.text}{since}", "alarm")
    at = state.day_of(alarm.opened_tick)
    if at is None or at < state.plan.change_day:
        return fail(state, f"a false alarm before the change, naming {', '.join(alarm.features)}")
    return _accepted(state) if state.delivery is not None else state


def _accepted(state: DemoState) -> DemoState:
    state = replace(state, phase="retraining")
    return add_entry(state, "webhook received, its signature is valid; collecting labelled rows", "change")


def _alarm_of(episodes: tuple[EpisodeReport, ...], report: Report) -> DemoAlarm:
    return DemoAlarm(
        episodes=episodes,
        opened_tick=min(episode.opened_tick for episode in episodes),
        onset_tick=min(episode.onset_tick for episode in episodes),
        effects={feature.name: feature.effects for feature in report.features if feature.effects},
    )


def _settle(state: DemoState) -> DemoState:
    """Close the loop when no alarm came since the new profile and the error is back to its level before the change."""
    if state.in_force_day is None or state.today is None or state.today < state.in_force_day + state.plan.settled_days:
        return state
    before = state.error_between(state.plan.first_day, state.plan.change_day)
    after = state.error_between(state.in_force_day + 1)
    if before is None or after is None or after > RESTORED * before:
        return fail(
            state, f"the error is {after} minutes after the retraining, compared with {before} before the change"
        )
    return add_entry(
        replace(state, phase="closed"), f"{state.plan.settled_days} days without an alarm: the loop is closed", "good"
    )
