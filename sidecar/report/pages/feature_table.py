"""The table of features: one row per column; derived features and relations between columns are folded away."""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import number
from ..columns import ColumnEntry, has_no_values, ordered
from ..response import ReportResponse
from ..schema import FeatureReport
from ..timeline.schema import FeatureSeries, Timeline
from . import histogram, trend
from .markup import Clock, evidence, fold, name, score, section, share, table, text, whole
from .meter import meter

LISTED = 300  # columns, and relations
NEW_VALUES = 5
HEADS = (
    "column",
    "evidence",
    "#PSI",
    "PSI over time",
    "#shift, sd",
    "#missing",
    "#unseen",
    "#out of range",
    "values",
)


def features(answer: ReportResponse, timeline: Timeline) -> str:
    """Return the section with the columns in the order of `columns.ordered`, and the relations folded away."""
    found = ordered(answer.features)
    known = {feature.name: feature for feature in timeline.features}
    rows = [_row(item, item.name, answer, known.get(item.name)) for item in found.changed_relations]
    for entry in found.columns[:LISTED]:
        rows += _entry(entry, answer, known)
    note = (
        '<p class="soft">Effect sizes of the recent ticks against the reference. Alarms come from the evidence '
        f"alone. {histogram.key('recent')}</p>"
    )
    if len(found.columns) > LISTED:
        all_ = "<code>GET /report</code> returns all of them"
        note += f"<p>{LISTED} of {whole(len(found.columns))} columns; {all_}.</p>"
    related = [_row(item, item.name, answer, known.get(item.name)) for item in found.relations[:LISTED]]
    folded = fold(text(found.summary), table(("relation", *HEADS[1:]), related)) if related else ""
    if not rows:
        return section("Features", note, ("",), [(folded,)], "wide") if folded else ""
    return section("Features", note, HEADS, [*rows, *([(folded,)] if folded else [])], "wide")


def _entry(entry: ColumnEntry, answer: ReportResponse, known: dict[str, FeatureSeries]) -> Iterator[tuple[str, ...]]:
    """Yield the row of a column; of derived features, the first stands for it, and a second row folds the others."""
    yield _row(entry.first, entry.name, answer, known.get(entry.first.name))
    if len(entry.derived) > 1:
        changed = sum(item.episode_id is not None for item in entry.derived)
        words = f"{number(len(entry.derived), 'feature')} derived from {text(entry.name[:60])}"
        rows = [_row(item, item.name, answer, known.get(item.name)) for item in entry.derived]
        yield (fold(f"{words}, {whole(changed)} changed" if changed else words, table(("feature", *HEADS[1:]), rows)),)


def _row(feature: FeatureReport, label: str, answer: ReportResponse, known: FeatureSeries | None) -> tuple[str, ...]:
    shown = _label(feature, label)
    ratio = _evidence(feature, answer)
    spark = trend.spark(known) if known else ""
    values = histogram.small(known.histogram) if known else ""
    effects = feature.effects
    if effects is None:
        return (shown, ratio, "", spark, "", "", "", "", values)
    missing = f"{share(effects.missing_ratio)}<br><small>was {share(effects.missing_ratio_reference)}</small>"
    ratios = (missing, share(effects.unseen_ratio), share(effects.out_of_range_ratio))
    return (shown, ratio, score(effects.psi), spark, score(effects.wasserstein), *ratios, values)


def _label(feature: FeatureReport, label: str) -> str:
    """Return the name with type and side; for a column with derived features also which of them is shown."""
    what = f"{text(feature.kind)}, {text(feature.side)}"
    if label != feature.name:
        what = f"shown: {name(feature.name)}<br>{what}"
    shown = f"{name(label)}<br><small>{what}</small>"
    if feature.partners:
        shown += f"<br><small>with {', '.join(map(name, feature.partners))}</small>"
    if feature.new_values:
        shown += f"<br><small>new: {', '.join(name(item.value) for item in feature.new_values[:NEW_VALUES])}</small>"
    return shown


def _evidence(feature: FeatureReport, answer: ReportResponse) -> str:
    ratio = ""
    if has_no_values(feature):
        ratio = '<span class="soft">no values</span>'
    elif answer.families and feature.evidence_ratio is not None:
        ratio = f'<span class="fixed">{meter(feature.evidence_ratio, 80)}{evidence(feature.evidence_ratio)}</span>'
    if feature.onset_tick is not None and feature.episode_id:
        ratio += f"<br><small>since {Clock.of(answer.ticks).start(feature.onset_tick)}</small>"
    return ratio
