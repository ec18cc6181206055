"""Convert the report to metrics: rows, effect sizes, evidence, alarms, findings, profile, checkpoint.

The feedback and performance blocks of the report are in `labels.py`. A value that the report does not have must have no
sample; zero would be a false measurement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client.metrics_core import Metric as Family

from ..report.schema import DistributionReport, Effects, FeatureReport, Report, ScoreReport
from . import feature_names, names
from .metric import Metric
from .scrape import ScrapeInput

EXPORTED: dict[str, Callable[[FeatureReport], bool]] = {
    "all": lambda _: True,
    "drifted": lambda feature: feature.episode_id is not None or (feature.evidence_ratio or 0) >= 1,
    "none": lambda _: False,
}  # by the value of spec.metrics.features, and of spec.metrics.details for its details
EFFECTS: dict[Metric, Callable[[Effects], float | None]] = {
    feature_names.JENSEN_SHANNON: lambda effects: _value(effects.jensen_shannon_distance),
    feature_names.MISSING_RATIO: lambda effects: effects.missing_ratio,
    feature_names.OUT_OF_RANGE_RATIO: lambda effects: effects.out_of_range_ratio,
    feature_names.PSI: lambda effects: effects.psi.value,
    feature_names.UNSEEN_RATIO: lambda effects: effects.unseen_ratio,
    feature_names.WASSERSTEIN: lambda effects: _value(effects.wasserstein),
}


BOUNDS: dict[Metric, Callable[[Effects], float | None]] = {
    feature_names.JENSEN_SHANNON_LOWER: lambda effects: _low(effects.jensen_shannon_distance),
    feature_names.JENSEN_SHANNON_UPPER: lambda effects: _high(effects.jensen_shannon_distance),
    feature_names.PSI_LOWER: lambda effects: effects.psi.low,
    feature_names.PSI_UPPER: lambda effects: effects.psi.high,
    feature_names.WASSERSTEIN_LOWER: lambda effects: _low(effects.wasserstein),
    feature_names.WASSERSTEIN_UPPER: lambda effects: _high(effects.wasserstein),
}
LABEL_CHARACTERS = 40  # of a bin, behind its number


def _low(score: ScoreReport | None) -> float | None:
    return None if score is None else score.low


def _high(score: ScoreReport | None) -> float | None:
    return None if score is None else score.high


def _value(score: ScoreReport | None) -> float | None:
    return None if score is None else score.value


def collect(reading: ScrapeInput) -> Iterator[Family]:
    """Yield the families of the report."""
    report = reading.report
    yield _model(report)
    yield from _rows(report)
    yield from _families(report)
    features = tuple(filter(EXPORTED[reading.features], report.features))
    yield from _features(report.model, features)
    yield _onsets(report, features)
    yield from _details(report.model, tuple(filter(EXPORTED[reading.details], features)))
    yield from _findings(report)
    yield from _profile(report)
    yield from _streams(report)
    yield from _row_stores(report)
    yield from _checkpoint(report, reading.now)


def _model(report: Report) -> Family:
    info = names.MODEL_INFO.gauge()
    info.add_metric((report.model, report.version), 1)
    return info


def _rows(report: Report) -> Iterator[Family]:
    rows, late, ticks = names.ROWS.counter(), names.LATE_ROWS.counter(), names.TICKS.counter()
    for item in report.rows:
        rows.add_metric((item.model, item.side), item.rows)
    late.add_metric((), report.ticks.late_rows)
    ticks.add_metric((), report.ticks.closed_total)
    yield from (rows, late, ticks)


def _families(report: Report) -> Iterator[Family]:
    evidence, alarms, episodes = names.EVIDENCE.gauge(), names.ALARMS.counter(), names.EPISODES_OPEN.gauge()
    for family in report.families:
        evidence.add_metric((report.model, family.name), family.evidence_ratio)
        alarms.add_metric((report.model, family.name), family.alarms_total)
    episodes.add_metric((report.model,), sum(episode.open for episode in report.episodes))
    yield from (evidence, alarms, episodes)


def _features(model: str, features: tuple[FeatureReport, ...]) -> Iterator[Family]:
    yield from _effects(EFFECTS, model, features)
    evidence = feature_names.FEATURE_EVIDENCE.gauge()
    for feature in features:
        if feature.evidence_ratio is not None:
            evidence.add_metric((model, feature.name), feature.evidence_ratio)
    yield evidence


def _effects(
    metrics: dict[Metric, Callable[[Effects], float | None]], model: str, features: tuple[FeatureReport, ...]
) -> Iterator[Family]:
    for metric, value_of in metrics.items():
        family = metric.gauge()
        for feature in features:
            value = value_of(feature.effects) if feature.effects else None
            if value is not None:
                family.add_metric((model, feature.name), value)
        yield family


def _onsets(report: Report, features: tuple[FeatureReport, ...]) -> Family:
    """Return the onset of the features in open episodes; the others have only an estimate, which jumps."""
    family = feature_names.ONSET.gauge()
    for feature in features:
        if feature.onset_tick is not None and feature.episode_id is not None:
            family.add_metric((report.model, feature.name), feature.onset_tick * report.ticks.tick_seconds)
    return family


def _details(model: str, features: tuple[FeatureReport, ...]) -> Iterator[Family]:
    yield from _effects(BOUNDS, model, features)
    family = feature_names.BIN_RATIO.gauge()
    for feature in features:
        if feature.distribution is not None:
            for name, window, share in _shares(feature.distribution):
                family.add_metric((model, feature.name, name, window), share)
    yield family


def _shares(found: DistributionReport) -> Iterator[tuple[str, str, float]]:
    """Yield name, window and share. The number in front of a name sorts the bins and makes names distinct."""
    for window, shares in (("reference", found.reference), ("current", found.current)):
        for number, (label, share) in enumerate(zip(found.bins, shares, strict=True), 1):
            short = label if len(label) <= LABEL_CHARACTERS else label[: LABEL_CHARACTERS - 1] + "…"
            yield f"{number:02d} {short}".encode("utf-8", "replace").decode(), window, share


def _findings(report: Report) -> Iterator[Family]:
    total, now = names.FINDINGS.counter(), names.FINDINGS_OPEN.gauge()
    for kind, amount in report.findings_total.items():
        total.add_metric((report.model, kind), amount)
        now.add_metric((report.model, kind), sum(item.kind == kind for item in report.findings))
    yield from (total, now)


def _profile(report: Report) -> Iterator[Family]:
    info, rows, mismatches = names.PROFILE_INFO.gauge(), names.PROFILE_ROWS.gauge(), names.TYPE_MISMATCHES.counter()
    if report.profile is not None:
        info.add_metric((report.model, report.version, report.profile.hash), 1)
        rows.add_metric((report.model,), report.profile.rows)
        mismatches.add_metric((report.model,), report.type_mismatches)
    yield from (info, rows, mismatches)


def _streams(report: Report) -> Iterator[Family]:
    values, changes = names.STREAM_VALUE.gauge(), names.STREAM_CHANGES.counter()
    last = {item.stream: item.value for item in report.streams if item.value is not None}
    for stream, value in last.items():
        values.add_metric((report.model, stream), value)
    for item in report.streams:
        changes.add_metric((report.model, item.type, item.stream, item.budget), item.changes)
    yield from (values, changes)


def _row_stores(report: Report) -> Iterator[Family]:
    rows, attempts = names.LEARNING_ROWS.gauge(), names.LEARNING_TRIES.gauge()
    if report.learning is not None:
        rows.add_metric((report.model, "stored"), report.learning.rows)
        rows.add_metric((report.model, "wanted"), report.learning.wanted)
        attempts.add_metric((report.model, report.learning.state), report.learning.tries)
    stored, size, not_stored = names.KEPT_ROWS.gauge(), names.KEPT_BYTES.gauge(), names.UNKEPT_ROWS.counter()
    for store in report.kept_rows:
        stored.add_metric((store.store,), store.rows)
        size.add_metric((store.store,), store.bytes)
        not_stored.add_metric((store.store,), store.not_kept)
    yield from (rows, attempts, stored, size, not_stored)


def _checkpoint(report: Report, now: float) -> Iterator[Family]:
    at, age, failures = names.CHECKPOINT_TIME.gauge(), names.CHECKPOINT_AGE.gauge(), names.CHECKPOINT_FAILURES.counter()
    if report.checkpoint.at is not None:
        at.add_metric((), report.checkpoint.at)
        age.add_metric((), max(0.0, now - report.checkpoint.at))
    failures.add_metric((), report.checkpoint.failures_total)
    yield from (at, age, failures)
