"""Convert the report to metrics: rows, effect sizes, evidence, alarms, findings, profile, checkpoint.

The feedback and performance blocks of the report are in `labels.py`. A value that the report does not have must have no
sample; zero would be a false measurement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client.metrics_core import Metric as Family

from ..report.schema import Effects, FeatureReport, Report, ScoreReport
from . import names
from .metric import Metric
from .scrape import ScrapeInput

EXPORTED: dict[str, Callable[[FeatureReport], bool]] = {
    "all": lambda _: True,
    "drifted": lambda feature: feature.episode_id is not None or (feature.evidence_ratio or 0) >= 1,
    "none": lambda _: False,
}  # by the value of spec.metrics.features
EFFECTS: dict[Metric, Callable[[Effects], float | None]] = {
    names.JENSEN_SHANNON: lambda effects: _value(effects.jensen_shannon_distance),
    names.MISSING_RATIO: lambda effects: effects.missing_ratio,
    names.OUT_OF_RANGE_RATIO: lambda effects: effects.out_of_range_ratio,
    names.PSI: lambda effects: effects.psi.value,
    names.UNSEEN_RATIO: lambda effects: effects.unseen_ratio,
    names.WASSERSTEIN: lambda effects: _value(effects.wasserstein),
}


def _value(score: ScoreReport | None) -> float | None:
    return None if score is None else score.value


def collect(reading: ScrapeInput) -> Iterator[Family]:
    """Yield the families of the report."""
    report = reading.report
    yield _model(report)
    yield from _rows(report)
    yield from _families(report)
    yield from _features(report.model, tuple(filter(EXPORTED[reading.features], report.features)))
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
    for metric, value_of in EFFECTS.items():
        family = metric.gauge()
        for feature in features:
            value = value_of(feature.effects) if feature.effects else None
            if value is not None:
                family.add_metric((model, feature.name), value)
        yield family
    evidence = names.FEATURE_EVIDENCE.gauge()
    for feature in features:
        if feature.evidence_ratio is not None:
            evidence.add_metric((model, feature.name), feature.evidence_ratio)
    yield evidence


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
