"""The end of the demo: what was promised, what was measured, and whether each holds."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from .measurements import MeasuredAccounting, ProxyUsage
from .state import DemoAlarm, DemoState, date_of


@dataclass(frozen=True, slots=True)
class SummaryLine:
    """One line of the summary; `holds` is None where nothing was promised."""

    what: str
    measured: str
    holds: bool | None = None


def summarise(
    story: DemoState, accounting: MeasuredAccounting | None, overhead: ProxyUsage | None, seconds: float
) -> list[SummaryLine]:
    """Return the summary's lines, in the order of the story."""
    return [
        *_traffic(story, accounting, overhead, seconds),
        *_detection(story),
        *_loop(story),
    ]


def failed_checks(results: list[SummaryLine]) -> list[str]:
    """Return the names of what does not hold."""
    return [result.what for result in results if result.holds is False]


def _traffic(
    story: DemoState, accounting: MeasuredAccounting | None, overhead: ProxyUsage | None, seconds: float
) -> list[SummaryLine]:
    rows, requests = (sum(getattr(day, name) for day in story.days) for name in ("rows", "requests"))
    failures = sum(day.failures for day in story.days)
    results = [
        SummaryLine(
            "replayed", f"{rows:,} rows in {requests:,} requests, {len(story.days)} days; {seconds:.0f} s in all"
        ),
        SummaryLine("failed requests", str(failures), failures == 0),
    ]
    if accounting is not None:
        fates = " + ".join(f"{count:,} {name}" for name, count in sorted(accounting.fates.items()))
        exact = accounting.exact and accounting.seen == requests and accounting.rows == rows
        results.append(
            SummaryLine("accounting", f"{accounting.seen:,} seen = {fates or '0'}; {accounting.rows:,} rows", exact)
        )
    if story.days:
        direct, added = (median(getattr(day, name) for day in story.days) for name in ("direct", "added"))
        text = f"{added:+.2f} ms at the median, {direct:.2f} ms without it"
        if overhead is not None:
            core = overhead.cpu_seconds / len(story.days)  # a day takes a second
            text += f"; {core:.1%} of a core, {overhead.resident / 2**20:.0f} MiB"
        results.append(SummaryLine("proxy overhead", text))
    return results


def _detection(story: DemoState) -> list[SummaryLine]:
    alarm, plan = story.alarm, story.plan
    stable = [day for day in story.days if not day.changed]
    early = alarm is not None and (story.day_of(alarm.opened_tick) or 0) < plan.change_day
    results = [
        SummaryLine(
            "false alarms", f"{int(early)} in {sum(day.rows for day in stable):,} rows before the change", not early
        )
    ]
    if alarm is None:
        return [*results, SummaryLine("alarm", "none", False)]
    rows = sum(day.rows for day in story.days if day.changed and day.tick <= alarm.opened_tick)
    onset = story.day_of(alarm.onset_tick)
    told = f"{date_of(onset):%-d %B}" if onset is not None else "unknown"
    return [
        *results,
        SummaryLine("alarm after", f"{rows:,} rows of changed traffic"),
        SummaryLine(
            "features named", ", ".join(_named(alarm, name) for name in alarm.features), "distance" in alarm.features
        ),
        SummaryLine("onset", f"{told}; the change came on {date_of(plan.change_day):%-d %B}"),
    ]


def _named(alarm: DemoAlarm, name: str) -> str:
    effects = alarm.effects.get(name)
    return f"{name} (PSI {effects.psi.value:.2f})" if effects else name


def _loop(story: DemoState) -> list[SummaryLine]:
    plan, first = story.plan, story.plan.first_day
    swapped = story.in_force_day
    errors = {
        "before": story.error_between(first, plan.change_day),
        "after the change": story.error_between(plan.change_day, swapped),
        "after the retraining": story.error_between(swapped + 1) if swapped is not None else None,
    }
    text = ", ".join(f"{error:.1f} {name}" for name, error in errors.items() if error is not None)
    closed = story.phase == "closed"
    return [
        SummaryLine("mean absolute error", f"{text} (minutes)"),
        SummaryLine("loop", "closed" if closed else f"not closed: {story.failure or 'ended early'}", closed),
    ]
