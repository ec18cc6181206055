"""The Report: one immutable description of the monitored model. This module is the only import path of its blocks.

The analyzer's worker makes a new Report after each checkpoint and replaces the old one. Metrics, pages and the control
loop only read it. Times are epoch seconds, and ticks are multiples of `tick_seconds`. Ratios lie in [0, 1], except
evidence ratios (1 = alarm). Saved reports and other programs depend on the field names: add fields, never rename one.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from .blocks.blindness import BLIND_REASONS, FLEET_BLIND_REASONS, BlindReason, BlindSpot
from .blocks.drift import (
    RESTART,
    ChangeReport,
    DistributionReport,
    Effects,
    EpisodeFeatureReport,
    EpisodeReport,
    FalseAlarmBudget,
    Family,
    FeatureReport,
    NewValue,
    ScoreReport,
)
from .blocks.labels import FeedbackStatus, LabelLag, LabelOutcome, LossEstimate, Performance
from .blocks.learning import AuditEntry, LearningStatus, ProfileInfo, StoredRows, StreamDetectorStatus
from .blocks.traffic import CheckpointStatus, ExchangeCount, QualityFinding, RowCount, TickStatus, UnprofiledColumn

__all__ = [
    "BLIND_REASONS",
    "FLEET_BLIND_REASONS",
    "FORMAT",
    "RESTART",
    "AuditEntry",
    "BlindReason",
    "BlindSpot",
    "ChangeReport",
    "CheckpointStatus",
    "DistributionReport",
    "Effects",
    "EpisodeFeatureReport",
    "EpisodeReport",
    "ExchangeCount",
    "FalseAlarmBudget",
    "Family",
    "FeatureReport",
    "FeedbackStatus",
    "LabelLag",
    "LabelOutcome",
    "LearningStatus",
    "LossEstimate",
    "NewValue",
    "Performance",
    "ProfileInfo",
    "QualityFinding",
    "Report",
    "RowCount",
    "ScoreReport",
    "State",
    "StoredRows",
    "StreamDetectorStatus",
    "TickStatus",
    "UnprofiledColumn",
]

FORMAT = 2  # 1 had effect sizes of other definitions: a divergence, normal scores, and noise taken out

State = Literal["idle", "unprofiled", "watching"]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the analyzer at `made_at`; in the state idle nothing is decoded, for the given `reason`."""

    format: int = FORMAT
    made_at: float
    started_at: float
    state: State
    reason: str = ""
    mode: str = ""
    model: str = ""
    version: str = ""
    profile: ProfileInfo | None = None
    counts: tuple[ExchangeCount, ...] = ()
    rows: tuple[RowCount, ...] = ()
    predictions_unread: dict[str, int] = {}
    type_mismatches: int = 0
    ticks: TickStatus
    families: tuple[Family, ...] = ()
    features: tuple[FeatureReport, ...] = ()
    episodes: tuple[EpisodeReport, ...] = ()
    budget: FalseAlarmBudget | None = None
    checkpoint: CheckpointStatus = CheckpointStatus()
    columns: tuple[UnprofiledColumn, ...] = ()
    findings: tuple[QualityFinding, ...] = ()
    findings_total: dict[str, int] = {}
    feedback: FeedbackStatus = FeedbackStatus()
    performance: Performance | None = None
    learning: LearningStatus | None = None
    kept_rows: tuple[StoredRows, ...] = ()
    decisions: tuple[AuditEntry, ...] = ()
    streams: tuple[StreamDetectorStatus, ...] = ()
    warnings: tuple[str, ...] = ()
