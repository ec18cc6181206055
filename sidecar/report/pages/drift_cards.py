"""One card per column that drifted: what changed, both histograms, and the course over time.

A card also lists the measures of relations that changed with its column, because they have the same cause.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from .. import wording
from ..response import ReportResponse
from ..schema import Effects, FeatureReport, ScoreReport
from ..timeline.schema import DriftedFeature, FeatureSeries, Timeline, is_covered
from . import histogram, trend
from .markup import Clock, decimal, name, share, text, whole

CARDS = 12
LISTED = 60  # features that the fold of a card lists


@dataclass(frozen=True)
class Card:
    """A feature that stands for a cause, and the features that are folded under it."""

    title: str
    feature: FeatureReport
    drift: DriftedFeature
    folded: Sequence[FeatureReport]
    summary: str


def cards(answer: ReportResponse, timeline: Timeline) -> str:
    """Return the cards, open episodes first; an empty string without episodes."""
    found = drifted(answer, timeline)
    if not found:
        return ""
    known = {feature.name: feature for feature in timeline.features}
    made = "".join(_card(card, known[card.drift.name], answer, timeline) for card in found[:CARDS])
    more = len(found) - CARDS
    rest = f'<p class="soft">and {more} more in the tables below</p>' if more > 0 else ""
    keys = histogram.key("since the onset")
    return f"<section><h2>Drifted features</h2><p class='legend'>{keys}</p>{made}{rest}</section>"


def drifted(answer: ReportResponse, timeline: Timeline) -> list[Card]:
    """Return a card for each column that drifted, open episodes first."""
    return sorted(_cards(answer, timeline), key=lambda card: not card.drift.open)


def headline(card: Card, answer: ReportResponse) -> str:
    """Return what changed and since when, not escaped."""
    related = [card.feature, *card.folded] if card.feature.family == wording.RELATIONS else [card.feature]
    since = Clock.of(answer.ticks).start(card.drift.onset_tick)
    if card.drift.open:
        return wording.headlines(related, since)[0]
    return f"{wording.change(card.feature)}, since {since}"


def pictures(card: Card, answer: ReportResponse, timeline: Timeline) -> tuple[str, str, str]:
    """Return the charts of a card: both histograms, PSI over time, and shares over time (empty if all are small)."""
    drift, clock = card.drift, Clock.of(answer.ticks)
    ends = {episode.id: episode.closed_tick for episode in answer.episodes}
    closed = ends.get(drift.episode)
    stretch = (drift.onset_tick, None if drift.open else drift.last_tick if closed is None else closed)
    feature = next(feature for feature in timeline.features if feature.name == drift.name)
    psi, shares = (draw(feature, timeline.steps, clock, stretch) for draw in (trend.psi, trend.shares))
    return histogram.large(drift.histogram), psi, shares


def _cards(answer: ReportResponse, timeline: Timeline) -> Iterator[Card]:
    drifts = {(drift.episode, drift.name): drift for drift in timeline.drifts}
    series = {feature.name for feature in timeline.features}
    reported = {feature.name: feature for feature in answer.features}
    for cause in wording.causes([episode for episode in answer.episodes if is_covered(episode)]):
        drawn: dict[str, DriftedFeature] = {}
        members: list[FeatureReport] = []
        for episode in cause:
            for member in episode.features:
                drift = drifts.get((episode.id, member.name))
                now = reported.get(member.name) or FeatureReport(name=member.name, side="", family=episode.family)
                if drift is not None and member.name in series:
                    drawn.setdefault(member.name, drift)
                    now = now if drift.open else msgspec.structs.replace(now, effects=drift.effects)
                members.append(now)
        yield from _cards_of_cause(wording.fold(members), drawn)


def _cards_of_cause(found: wording.Folded, drawn: dict[str, DriftedFeature]) -> Iterator[Card]:
    """Yield a card for each column of a cause, the first one with the relations; or one card for the relations."""
    left = found.relations
    for item in found.columns:
        if item.feature.name in drawn:
            derived = [f"and {len(item.derived)} derived from it"] if item.derived else []
            summary = ", ".join([*derived, *([found.summary] if left else [])])
            yield Card(item.feature.name, item.feature, drawn[item.feature.name], [*item.derived, *left], summary)
            left = []
    shown = [item for item in left if item.name in drawn]
    if not found.columns and shown:
        first = next((item for item in shown if item.name.startswith(wording.RESIDUAL)), shown[0])
        rest = [item for item in left if item is not first]
        summary = f"and {len(rest)} more measures of relations" if rest else ""
        yield Card("Relations between columns", first, drawn[first.name], rest, summary)


def _card(card: Card, feature: FeatureSeries, answer: ReportResponse, timeline: Timeline) -> str:
    drift = card.drift
    state = '<span class="badge open">drifting</span>' if drift.open else '<span class="badge unprofiled">ended</span>'
    bars, psi, shares = pictures(card, answer, timeline)
    return (
        f'<article class="card"><h3>{name(card.title)} {state}</h3><p>{text(headline(card, answer))}</p>'
        f'<p class="soft">{text(feature.kind)}, {text(feature.side)}, family {text(feature.family)} · '
        f"{whole(drift.histogram.rows)} rows in the histogram</p>"
        f'<div class="pair"><div class="scroll">{bars}</div><div class="scroll">{psi}{shares}</div></div>'
        f"{_effects(drift.effects)}{_fold(card)}</article>"
    )


def _fold(card: Card) -> str:
    if not card.folded:
        return ""
    named = [item for item in card.folded if item.family != wording.RELATIONS or item.name.startswith(wording.RESIDUAL)]
    unnamed = [name(item.name) for item in card.folded if item not in named]
    items = "".join(f"<li>{text(wording.change(item))}</li>" for item in named[:LISTED])
    more = len(named) - LISTED
    rest = f"<li>and {more} more</li>" if more > 0 else ""
    if unnamed:
        rest += f"<li>measures of all columns together: {', '.join(unnamed[:LISTED])}</li>"
    return f"<details><summary>{text(card.summary)}</summary><ul>{items}{rest}</ul></details>"


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
