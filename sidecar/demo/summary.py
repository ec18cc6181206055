"""The summary of the demo: each promise beside its measurement."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from .measurements import MeasuredAccounting, ModelUse, ProcessUsage
from .state import DemoState, date_of

TOLERANCE, TICKS = 0.05, 0.02  # of the CPU time, and seconds: the resolution of /proc is 0.01 s


@dataclass(frozen=True, slots=True)
class SummaryLine:
    """One line of the summary; `holds` is None for a line without a promise."""

    what: str
    measured: str
    holds: bool | None = None


def summarise(
    state: DemoState,
    accounting: MeasuredAccounting | None,
    overhead: ProcessUsage | None,
    seconds: float,
    used: tuple[ModelUse | None, ModelUse | None] = (None, None),
) -> list[SummaryLine]:
    """Return the lines of the summary, in the order of the demo. `used` is the use before and after the traffic."""
    return [
        *_traffic(state, accounting, overhead, seconds),
        *_cost(*used),
        *_detection(state),
        *_loop(state),
    ]


def failed_checks(results: list[SummaryLine]) -> list[str]:
    """Return the names of the promises that were not kept."""
    return [result.what for result in results if result.holds is False]


def _traffic(
    state: DemoState, accounting: MeasuredAccounting | None, overhead: ProcessUsage | None, seconds: float
) -> list[SummaryLine]:
    rows, requests = (sum(getattr(day, name) for day in state.days) for name in ("rows", "requests"))
    failures = sum(day.failures for day in state.days)
    results = [
        SummaryLine(
            "replayed", f"{rows:,} rows in {requests:,} requests, {len(state.days)} days; {seconds:.0f} s in all"
        ),
        SummaryLine("failed requests", str(failures), failures == 0),
    ]
    if accounting is not None:
        fates = " + ".join(f"{count:,} {name}" for name, count in sorted(accounting.fates.items()))
        exact = accounting.exact and accounting.seen == requests and accounting.rows == rows
        results.append(
            SummaryLine("accounting", f"{accounting.seen:,} seen = {fates or '0'}; {accounting.rows:,} rows", exact)
        )
    if state.days:
        direct, added = (median(getattr(day, name) for day in state.days) for name in ("direct", "added"))
        text = f"{added:+.2f} ms at the median, {direct:.2f} ms without it"
        if overhead is not None:
            core = overhead.cpu_seconds / len(state.days)  # a day takes a second
            text += f"; {core:.1%} of a core, {overhead.resident / 2**20:.0f} MiB"
        results.append(SummaryLine("proxy overhead", text))
    return results


def _cost(before: ModelUse | None, after: ModelUse | None) -> list[SummaryLine]:
    """Return what a prediction used and cost, and whether Pilotfish counts the CPU time that /proc counts."""
    if before is None or after is None:
        return [SummaryLine("a prediction", "unknown: the process of the model server was not measured")]
    text = "none was measured"
    for found in after.predictions[:1]:
        text = f"{(found.cpu_seconds or 0.0) * 1e6:.0f} µs of CPU"
        if found.cost_per_1000 is not None:
            text += f", {found.cost_per_1000 * 1000:.3g} {after.currency} per million"
    reported, counted = after.reported - before.reported, after.counted - before.counted
    text += f"; {reported:.2f} s of CPU in all, {counted:.2f} s by /proc"
    return [SummaryLine("a prediction", text, abs(reported - counted) <= TOLERANCE * counted + TICKS)]


def _detection(state: DemoState) -> list[SummaryLine]:
    alarm, plan = state.alarm, state.plan
    stable = [day for day in state.days if not day.changed]
    early = alarm is not None and (state.day_of(alarm.opened_tick) or 0) < plan.change_day
    results = [
        SummaryLine(
            "false alarms", f"{int(early)} in {sum(day.rows for day in stable):,} rows before the change", not early
        )
    ]
    if alarm is None:
        return [*results, SummaryLine("alarm", "none", False)]
    rows = sum(day.rows for day in state.days if day.changed and day.tick <= alarm.opened_tick)
    onset = state.day_of(alarm.onset_tick)
    shown = f"{date_of(onset):%-d %B}" if onset is not None else "unknown"
    return [
        *results,
        SummaryLine("alarm after", f"{rows:,} rows of changed traffic"),
        SummaryLine("features named", alarm.text, "distance" in alarm.features),
        SummaryLine("onset", f"{shown}; the change was on {date_of(plan.change_day):%-d %B}"),
    ]


def _loop(state: DemoState) -> list[SummaryLine]:
    plan, first = state.plan, state.plan.first_day
    swapped = state.in_force_day
    errors = {
        "before": state.error_between(first, plan.change_day),
        "after the change": state.error_between(plan.change_day, swapped),
        "after the retraining": state.error_between(swapped + 1) if swapped is not None else None,
    }
    text = ", ".join(f"{error:.1f} {name}" for name, error in errors.items() if error is not None)
    closed = state.phase == "closed"
    return [
        SummaryLine("mean absolute error", f"{text} (minutes)"),
        SummaryLine("loop", "closed" if closed else f"not closed: {state.failure or 'ended early'}", closed),
    ]
