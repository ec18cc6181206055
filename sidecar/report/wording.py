"""What changed, in one sentence per feature, with the same words in the log, on the page and in a replay. Pure.

The sentences contain foreign names, truncated; the caller escapes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import floor, log10

from ..errors import number, quote_value
from .schema import ChangeReport, EpisodeReport, FeatureReport

RELATIONS = "multivariate"  # the family of the features that measure relations between columns
RESIDUAL = "residual:"
LONGEST = 60  # characters of a name
NAMED = 3  # columns of a line, of a relation, and new values
LARGEST_PLAIN, LARGEST_TIMES = 1e9, 1000.0
MEASURES = {
    "infinite": "infinite values {shares}",
    "missing": "missing values {shares}",
    "unseen": "values that the reference lacks {shares}",
    "above": "values above {of}, the largest of the reference, {shares}",
    "below": "values below {of}, the smallest of the reference, {shares}",
    "share": "share of the value {of} {shares}",
    "range": "share of the values from {of} {shares}",
}


@dataclass
class Changed:
    """A column that changed, with the features that are derived from it."""

    feature: FeatureReport
    derived: list[FeatureReport] = field(default_factory=list)


@dataclass
class Folded:
    """The features of one cause: columns, each of them once, and the measures of relations between columns."""

    columns: list[Changed]
    relations: list[FeatureReport]

    @property
    def summary(self) -> str:
        """What the relations add: `and 28 relations with other columns`; empty without relations."""
        if not self.relations:
            return ""
        return f"and {number(len(self.relations), 'relation')} {'with other' if self.columns else 'between'} columns"


def causes(episodes: Sequence[EpisodeReport]) -> Iterator[tuple[EpisodeReport, ...]]:
    """Yield the episodes of each cause, the one that reported it first."""
    known = {episode.id for episode in episodes}
    for episode in episodes:
        if episode.part_of not in known:
            yield episode, *(one for one in episodes if one.part_of == episode.id)


def active(cause: Sequence[EpisodeReport], features: Sequence[FeatureReport]) -> list[FeatureReport]:
    """Return the features of a cause that have not recovered, as the report has them in `features`."""
    known = {feature.name: feature for feature in features}
    return [
        known.get(item.name) or FeatureReport(name=item.name, side="", family=episode.family)
        for episode in cause
        for item in episode.features
        if item.active
    ]


def fold(features: Sequence[FeatureReport]) -> Folded:
    """Return features, the clearest first, folded under their columns.

    The outputs of a transform are `column:output`; they fold under their column, or under the first of them.
    """
    columns: dict[str, Changed] = {}
    relations = [item for item in features if item.family == RELATIONS]
    names = {item.name for item in features}
    for item in features:
        if item.family == RELATIONS:
            continue
        column = item.name.rpartition(":")[0]
        key = column if column and item.family != "performance" else item.name
        if column in names and column not in columns:
            columns[column] = Changed(next(one for one in features if one.name == column))
        if key not in columns:
            columns[key] = Changed(item)
        elif columns[key].feature is not item:
            columns[key].derived.append(item)
    return Folded(list(columns.values()), relations)


def headlines(features: Sequence[FeatureReport], since: str) -> list[str]:
    """Return one sentence for each column that changed; if only relations changed, one for them. `since` is a time."""
    folded = fold(features)
    if folded.columns:
        return [sentence(item.feature, since) for item in folded.columns]
    return [_relations(folded.relations, since)] if folded.relations else []


def summary(episode: EpisodeReport, features: Sequence[FeatureReport], since: str) -> str:
    """Return what changed in an episode, on one line, the clearest columns first. `since` is a time."""
    named = active([episode], features)
    lines, folded = headlines(named, since), fold(named)
    more = [number(len(lines) - NAMED, "more column")] if len(lines) > NAMED else []
    more += [folded.summary.removeprefix("and ")] if folded.columns and folded.relations else []
    names = ", ".join(quote_value(feature.name) for feature in episode.features[:NAMED])
    return "; ".join([*lines[:NAMED], *(f"and {item}" for item in more)]) or names or "no single feature"


def sentence(feature: FeatureReport, since: str) -> str:
    """Return what changed, from what to what, in how many rows, since when, and how sure that is."""
    rows = f" in the last {number(feature.effects.rows, 'row')}" if feature.effects else ""
    return f"{change(feature)}{rows} (since about {since}){certainty(feature.evidence_ratio)}"


def change(feature: FeatureReport) -> str:
    """Return what changed, from what to what: `amount rose: mean 52.1 -> 71.4 (+0.8 sd)`."""
    name, found = short(feature.name), feature.effects.change if feature.effects else None
    if feature.family == RELATIONS:
        return _relation(feature)
    if feature.family == "predictions":
        name = f"prediction {name}"
    if found is None:
        return f"{name} changed"
    if found.measure == "mean":
        what = "mean loss" if feature.family == "performance" else "mean"
        by = "" if found.sd is None else f" ({_signed(found.sd)} sd)"
        verb = "rose" if found.after > found.before else "fell"
        return f"{name} {verb}: {what} {_from_to(found)}{by}"
    if found.measure == "spread":
        verb = "varies more" if found.after > found.before else "varies less"
        by = "" if found.sd is None else f" (x{found.sd:.2g})"
        return f"{name} {verb}: standard deviation {_from_to(found)}{by}"
    shares = f"{percent(found.before)} -> {percent(found.after)}"
    form = MEASURES.get(found.measure, "{shares}")
    new = ", ".join(short(item.value) for item in feature.new_values[:NAMED]) if found.measure == "unseen" else ""
    return f"{name}: {form.format(of=short(found.of), shares=shares)}{f' ({new})' if new else ''}"


def certainty(ratio: float | None) -> str:
    """Return how sure a change is, from a feature's own evidence over what an alarm needs; empty without evidence."""
    if ratio is None:
        return ""
    if ratio >= LARGEST_TIMES:
        return f"; its evidence alone is more than {LARGEST_TIMES:,.0f} x what an alarm needs"
    if ratio >= 1:
        return f"; its evidence alone is {ratio:,.{1 if ratio < 10 else 0}f} x what an alarm needs"
    share = "less than 1 %" if ratio < 0.01 else f"{100 * ratio:.0f} %"
    return f"; its evidence is {share} of what an alarm needs"


def percent(share: float) -> str:
    """Return a share in per cent, with two digits if it is small."""
    return f"{100 * share:.2g} %" if share < 0.0995 else f"{100 * share:.0f} %"


def short(name: str) -> str:
    """Return a foreign name, truncated."""
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def _relation(feature: FeatureReport) -> str:
    if not feature.name.startswith(RESIDUAL):
        return "relations between columns changed"
    column, partners = short(feature.name.removeprefix(RESIDUAL)), feature.partners[:NAMED]
    return f"{column} no longer follows {_listed(partners) or 'the other columns'}"


def _relations(features: Sequence[FeatureReport], since: str) -> str:
    """Return the sentence for relations without a column that changed."""
    residuals = [item for item in features if item.name.startswith(RESIDUAL)]
    if len(residuals) == 1:
        return sentence(residuals[0], since)
    columns = [item.name.removeprefix(RESIDUAL) for item in residuals]
    likely = f", most likely those of {_listed(columns[:NAMED])}" if columns else ""
    first = features[0]
    rows = f" in the last {number(first.effects.rows, 'row')}" if first.effects else ""
    return f"relations between columns changed{likely}{rows} (since about {since}){certainty(first.evidence_ratio)}"


def _listed(names: Sequence[str]) -> str:
    *first, last = map(short, names or [""])
    return f"{', '.join(first)} and {last}" if first else last


def _from_to(found: ChangeReport) -> str:
    distance = abs(found.after - found.before)
    places = min(max((1 if distance < 10 else 2) - floor(log10(distance)), 0), 8) if distance > 0 else 3
    return " -> ".join(_number(value, places) for value in (found.before, found.after))


def _number(value: float, places: int) -> str:
    return f"{value:.3g}" if abs(value) >= LARGEST_PLAIN or 0 < abs(value) < 1e-6 else f"{value:,.{places}f}"


def _signed(distance: float) -> str:
    return (
        f"{distance:+,.2g}"
        if abs(distance) < 100
        else f"{distance:+,.0f}"
        if abs(distance) < 1e9
        else f"{distance:+.2g}"
    )
