"""One card per feature of an episode: the size of the change, both histograms, and its course over time."""

from __future__ import annotations

from collections.abc import Iterator

from ..response import ReportResponse
from ..schema import Effects, ScoreReport
from ..timeline.schema import DriftedFeature, FeatureSeries, Timeline
from . import histogram, trend
from .markup import Clock, decimal, name, share, text, whole

CARDS = 12


def cards(answer: ReportResponse, timeline: Timeline) -> str:
    """Return the cards, open episodes first; an empty string without episodes."""
    if not timeline.drifts:
        return ""
    known = {feature.name: feature for feature in timeline.features}
    ends = {episode.id: episode.closed_tick for episode in answer.episodes}
    clock = Clock.of(answer.ticks)
    made = "".join(
        _card(drift, known[drift.name], timeline, clock, ends.get(drift.episode))
        for drift in timeline.drifts[:CARDS]
        if drift.name in known
    )
    more = len(timeline.drifts) - CARDS
    rest = f'<p class="soft">and {more} more in the tables below</p>' if more > 0 else ""
    keys = histogram.key("since the onset")
    return f"<section><h2>Drifted features</h2><p class='legend'>{keys}</p>{made}{rest}</section>"


def _card(drift: DriftedFeature, feature: FeatureSeries, timeline: Timeline, clock: Clock, closed: int | None) -> str:
    last = None if drift.open else closed if closed is not None else drift.last_tick
    stretch = (drift.onset_tick, last)
    state = '<span class="badge open">drifting</span>' if drift.open else '<span class="badge unprofiled">ended</span>'
    mark = "" if drift.confirmed else " <small>not confirmed; one of the largest contributions to the alarm</small>"
    return (
        f'<article class="card"><h3>{name(drift.name)} {state}{mark}</h3>'
        f'<p class="soft">{text(feature.kind)}, {text(feature.side)}, family {text(feature.family)} · since '
        f"{clock.start(drift.onset_tick)} · {whole(drift.histogram.rows)} rows</p>"
        f'<div class="pair"><div class="scroll">{histogram.large(drift.histogram)}</div>'
        f'<div class="scroll">{trend.psi(feature, timeline.steps, clock, stretch)}'
        f"{trend.shares(feature, timeline.steps, clock, stretch)}</div></div>{_effects(drift.effects)}</article>"
    )


def _effects(effects: Effects | None) -> str:
    if effects is None:
        return ""
    cells = "".join(f"<div><small>{label}</small><br>{value}</div>" for label, value in _sizes(effects))
    return f'<div class="sizes">{cells}</div>'


def _sizes(effects: Effects) -> Iterator[tuple[str, str]]:
    yield "PSI", _interval(effects.psi)
    if effects.jensen_shannon_distance is not None:
        yield "Jensen-Shannon distance", _interval(effects.jensen_shannon_distance)
    if effects.wasserstein is not None:
        yield "shift (Wasserstein), sd", _interval(effects.wasserstein)
    if effects.ks is not None:
        yield "Kolmogorov-Smirnov", _interval(effects.ks)
    yield "missing", f"{share(effects.missing_ratio)} <small>was {share(effects.missing_ratio_reference)}</small>"
    yield "unseen", share(effects.unseen_ratio)
    yield "out of range", share(effects.out_of_range_ratio)
    if effects.mismatches:
        yield "type mismatches", whole(effects.mismatches)


def _interval(score: ScoreReport) -> str:
    return f"<b>{decimal(score.value)}</b> <small>{decimal(score.low)} – {decimal(score.high)}</small>"
