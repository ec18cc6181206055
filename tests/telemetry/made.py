"""Build the input of a scrape with a value in every field."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from pilotfish.sidecar.channel import layout
from pilotfish.sidecar.channel.page import CounterPage, PageSnapshot, read_page
from pilotfish.sidecar.report import schema as report
from pilotfish.sidecar.report.blocks.resources import ResourceSource
from pilotfish.sidecar.report.control_status import ControlStatus, IntentStatus
from pilotfish.sidecar.report.sync_status import SyncStatus
from pilotfish.sidecar.resources.accounts import RESOURCES, Accounts, CostRules, UsageWindow
from pilotfish.sidecar.resources.collector import collect
from pilotfish.sidecar.resources.reporting import resource_report
from pilotfish.sidecar.resources.totals import ResourceTotals
from pilotfish.sidecar.resources.usage import UsageSample
from pilotfish.sidecar.resources.watch import ResourceView
from pilotfish.sidecar.resources.work import COUNTED, Work
from pilotfish.sidecar.settings.document import AttributionSettings, Model, Prices
from pilotfish.sidecar.telemetry.scrape import ScrapeInput

PRICES = Prices(gpu_hour=2.0, cpu_hour=0.04, memory_gib_hour=0.005, kwh=0.3, currency="<i>")
NOW = 1_700_000_000.0
HOSTILE = 'a"b\\c\nd'
BLIND = report.BlindSpot(reason="columns_absent", text=f"<b>{HOSTILE}</b>", since=NOW - 9, total=False)

SYNC = SyncStatus(
    control="control:8443", last_success=NOW - 20, unacknowledged=2, oldest=NOW - 90, dropped=3, problem="it is away",
    generation=4, requests=(("failed", 2), ("ok", 7)),
)  # fmt: skip
CONTROL = ControlStatus(
    intents=(
        IntentStatus(
            kind="retrain", episode=HOSTILE, state="dead", reason=HOSTILE, attempts=3, decided_at=NOW, error=HOSTILE
        ),
    ),
    totals=(("retrain", "recommended", "mode", 1),),
    waiting=(("notify", "on-call", 1),),
    pending=1,
    dead=2,
    unsaved=3,
    damaged=4,
)


def page(path: Path) -> PageSnapshot:
    if path.exists():
        return read_page(path)
    made = CounterPage.open(path, now_ns=int(NOW * 1e9))
    for slot, route in zip(made.route_slots(), ("POST /v2/models/m/infer", f"GET /{HOSTILE}"), strict=False):
        made.replace_route(slot, route)
        for milliseconds in (1, 2, 40, 200_000):
            made.add(slot + layout.SLOT_CODES + layout.CODES.index("2xx"))
            made.observe(slot + layout.SLOT_DURATION, milliseconds * 10**6)
            made.observe(slot + layout.SLOT_FIRST_BYTE, milliseconds * 10**5)
            made.observe(slot + layout.SLOT_FIRST_EVENT, milliseconds * 10**5)
            made.observe(slot + layout.SLOT_EVENT_GAP, milliseconds * 10**5)
            made.add(slot + layout.SLOT_BYTES_IN, 700)
    made.add(layout.outcome_word("accepted"), 6)
    made.add(layout.outcome_word("sampled_out", "rate"), 2)
    made.close()
    return read_page(path)


def score(value: float) -> report.ScoreReport:
    return report.ScoreReport(value, value / 2, value * 2)


def whole_report() -> report.Report:
    effects = report.Effects(
        first_tick=1, last_tick=5, rows=100, psi=score(0.2), jensen_shannon_distance=score(0.1), chi_square=score(0.3),
        wasserstein=score(0.5), ks=score(0.1), missing_ratio=0.01, missing_ratio_reference=0.0, unseen_ratio=0.02,
        out_of_range_ratio=0.03, mismatches=1,
    )  # fmt: skip
    feature = report.FeatureReport(
        name=HOSTILE, side="input", family="features", kind="numeric", evidence_ratio=2.0, onset_tick=3,
        episode_id="e1", effects=effects,
        distribution=report.DistributionReport(("below 1", HOSTILE, HOSTILE), (0.0, 0.6, 0.4), (0.1, 0.2, 0.7)),
    )  # fmt: skip
    member = report.EpisodeFeatureReport(
        name=HOSTILE, confirmed=True, active=True, onset_tick=3, joined_tick=4, closed_tick=None
    )
    return report.Report(
        made_at=NOW,
        started_at=NOW - 60,
        state="watching",
        model="m",
        version="7",
        profile=report.ProfileInfo(
            hash="abc", model="m", version="7", created="now", rows=1000, features=1, excluded=(), warnings=()
        ),
        counts=(report.ExchangeCount("measured", "", 4), report.ExchangeCount("undecodable", "ragged", 1)),
        rows=(report.RowCount("m", "input", 40),),
        predictions_unread={"content_encoding": 2},
        ticks=report.TickStatus(tick_seconds=60, open=(6,), last_closed=5, closed_total=5, late_rows=1),
        families=(report.Family(name="features", evidence_ratio=2.0, threshold=1e5, share=1.0, alarms_total=1),),
        features=(feature,),
        episodes=(
            report.EpisodeReport(
                id="e1", family="features", opened_tick=4, onset_tick=3, closed_tick=None, closed_by=None, open=True,
                features=(member,),
            ),
        ),
        checkpoint=report.CheckpointStatus(at=NOW - 5, failures_total=1),
        feedback=report.FeedbackStatus(
            labels=(report.LabelOutcome("joined", 90), report.LabelOutcome("unknown", 2)),
            pending=30,
            reused=1,
            identified_ratio=0.9,
            coverage=0.75,
            lag=report.LabelLag(3.0, 40.0),
            lag_buckets=((4.0, 60), (64.0, 29), (None, 1)),
            lag_seconds=900.0,
            unused={"label_unusable": 4},
        ),
        performance=report.Performance(
            task="regression",
            loss="absolute error",
            label=f"y{HOSTILE}",
            prediction="p",
            score=None,
            reference=1.0,
            realized=report.LossEstimate(value=1.5, low=1.2, high=1.8, rows=90),
            estimated=report.LossEstimate(value=1.4, low=1.0, high=2.0, rows=120),
            calibrated=False,
            calibration="<b>no</b>",
            believed="realized",
            labelled_rows=90,
        ),
        findings=(
            report.QualityFinding(
                kind="renamed_column", side="input", column=HOSTILE, renamed_to="<i>", since_tick=2, rows=9, share=0.1
            ),
        ),
        findings_total={"renamed_column": 1, "type_change": 0},
        learning=report.LearningStatus(id="a1", kind="rebaseline", wanted=500, rows=20, by=HOSTILE, began=NOW - 30),
        kept_rows=(report.StoredRows(store="recent", rows=90, bytes=4096, not_kept=3),),
        decisions=(report.AuditEntry(time=NOW, action="rebaseline", outcome="begun", by=HOSTILE, reason="<b>"),),
        streams=(
            report.StreamDetectorStatus(
                type="river.ADWIN", stream=HOSTILE, value=0.5, values=9, changes=1, last_change_tick=3
            ),
        ),
        warnings=(f"<b>{HOSTILE}</b>",),
    )  # fmt: skip


def _language_work() -> Work:
    """Return the work of one exchange with token counts, and of one without."""
    work = Work()
    work.add_tokens(COUNTED, {"prompt": 20, "completion": 10, "cached": 5}, 10**9)
    work.add_tokens("stream", {}, 10**9)
    return work


def resource_view() -> ResourceView:
    """Return a view of resources with a value for each metric."""
    accounts = Accounts(ResourceTotals())
    route = "POST /v2/models/m/infer"
    rules = CostRules(
        model=Model(name=HOSTILE, version="1"), prices=PRICES, attribution=AttributionSettings(completion_weight=4.0)
    )
    for at in range(2):
        amounts = dict.fromkeys(RESOURCES, 10**9 * at)
        counters = ("cpu", "oom_kills", "pressure_cpu", "pressure_io", "received", "sent", "throttled")
        window = UsageWindow(
            elapsed_ns=10**9,
            in_flight={route: 10**9 * at},
            exchanges={route: 5},
            measured=amounts,
            usage={(of, counter): at for of in ("model", "pilotfish") for counter in counters},
            answered={route: 3},
            work={route: _language_work()},
        )
        accounts.add(window, rules)
    sample = UsageSample(
        at_ns=1, source="a", method=f"cgroup {HOSTILE}", processes=1, threads=2, cpu_ns=1, throttled_ns=1,
        pressure_ns={"cpu": 1}, memory=1 << 30, memory_limit=1 << 31, oom_kills=1, received=1, sent=1,
    )  # fmt: skip
    source = ResourceSource(kind="local", reason="listener", text=HOSTILE, pid=7)
    return ResourceView(
        source=source,
        totals=accounts.totals,
        model=sample,
        model_cores=0.5,
        own=sample,
        own_cores=0.1,
        completion_weights=accounts.completion_weights(rules),
        notes=(HOSTILE,),
    )


def reading(path: Path) -> ScrapeInput:
    view, made = resource_view(), whole_report()
    return ScrapeInput(
        extra=(partial(collect, view, PRICES),),
        resources=resource_report(view, made, PRICES),
        report=made,
        page=page(path),
        control=CONTROL,
        sync=SYNC,
        now=NOW,
        memory_limit=1 << 28,
        blind=(BLIND,),
    )
