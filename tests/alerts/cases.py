"""A rule test of each alert: series whose fault begins and ends, as promtool's input."""

from __future__ import annotations

from dataclasses import dataclass

Series = tuple[tuple[str, str], ...]
POD = 'namespace="shop",pod="delays-0"'
INFO = (f'pilotfish_model_info{{{POD},model="delays",version="7"}}', "1x{whole}")
OF_MODEL = 'namespace="shop",monitor="delays",model="delays",version="7"'


@dataclass(frozen=True)
class Case:
    """The input of one alert's test.

    Attributes:
        series: name and values. `{healthy}` and `{faulty}` are the steps of both phases, `{whole}` of all three.
        step: minutes between two samples.
        healthy: steps before the fault, and after it.
        faulty: steps of the fault.
        end: steps after the fault until the alert must have ended; by default `healthy`.
    """

    series: Series
    step: int = 1
    healthy: int = 30
    faulty: int = 60


def gauge(series: str, good: float, bad: float, *more: tuple[str, str]) -> Case:
    """Return a case in which a gauge goes from `good` to `bad` and back."""
    return Case(((series, switching(good, bad)), *more))


def switching(good: float, bad: float) -> str:
    """Return values that are good, bad, and good again."""
    return f"{good}x{{healthy}} {bad}x{{faulty}} {good}x{{healthy}}"


def slow(case: Case, step: int, healthy: int, faulty: int) -> Case:
    """Return a case with other lengths."""
    return Case(case.series, step, healthy, faulty)


def _errors(metric: str, failed: str, fine: str) -> Series:
    """Return a counter of bad requests that grows during the fault only, and one of good ones."""
    return (
        INFO,
        (f"{metric}{{{POD},{failed}}}", "0+0x{healthy} 0+60x{faulty} {held}+0x{healthy}"),
        (f"{metric}{{{POD},{fine}}}", "0+60x{whole}"),
    )


_BURN = Case(_errors("pilotfish_requests_total", 'route="/p",code="5xx"', 'route="/p",code="2xx"'), healthy=400)
_COUNT, _BUCKET = "pilotfish_time_to_first_byte_seconds_count", "pilotfish_time_to_first_byte_seconds_bucket"
_LATE = Case(
    (
        INFO,
        (f'{_COUNT}{{{POD},route="/p"}}', "0+60x{whole}"),
        (f'{_BUCKET}{{{POD},route="/p",le="1.0"}}', "0+60x{healthy} {flat}+0x{faulty} {flat}+60x{healthy}"),
    ),
    healthy=400,
)
_EPISODE = gauge(f"pilotfish_episodes_open{{{OF_MODEL}}}", 0, 1)
_HPA = 'namespace="shop",horizontalpodautoscaler="delays"'
_ANALYZER = (f'kube_pod_init_container_info{{{POD},container="pilotfish-analyzer"}}', "1x{whole}")

_SCALED = 'namespace="shop",monitor="delays"'
_RESIZED = f'{_SCALED},container="model"'
_TERMINATED = "kube_pod_container_status_last_terminated_reason"
_REQUESTED = f'pilotfish_resource_request{{{_RESIZED},resource="cpu"}}'
_RECOMMENDED = tuple(
    (f'pilotfish_resource_recommendation{{{_RESIZED},resource="cpu",bound="{bound}"}}', f"{value}x{{whole}}")
    for bound, value in (("lower", 0.5), ("target", 1), ("upper", 1.5))
)


def _held(reason: str) -> Case:
    """Return a case in which replicas are held for a reason; the series ends with it."""
    return Case(
        ((f'pilotfish_scaling_held{{{_SCALED},reason="{reason}"}}', "_x{gap} 1x{faulty} _x{healthy}"),), healthy=60
    )


CASES: dict[str, Case] = {
    "PilotfishActionRefused": slow(
        gauge(f'pilotfish_outbox_waiting{{{OF_MODEL},kind="retrain",receiver="trainer"}}', 0, 1), 5, 10, 20
    ),
    "PilotfishAnalyzerAbsent": gauge(f'up{{{POD},job="pilotfish-system/pilotfish-sidecars"}}', 1, 0, _ANALYZER),
    "PilotfishAtMaxReplicas": gauge(
        f"kube_horizontalpodautoscaler_status_desired_replicas{{{_HPA}}}",
        3,
        5,
        (f"kube_horizontalpodautoscaler_spec_max_replicas{{{_HPA}}}", "5x{whole}"),
        INFO,
    ),
    "PilotfishBlind": gauge(f'pilotfish_blind{{{POD},reason="undecoded"}}', 0, 1),
    "PilotfishBypassed": gauge('pilotfish_blind{namespace="shop",monitor="delays",reason="bypassed"}', 0, 1),
    "PilotfishCertificateExpiry": gauge(
        'pilotfish_certificate_expiry_timestamp_seconds{namespace="system",pod="control-0",name="serving"}',
        1_000_000,
        80_000,
    ),
    "PilotfishContainerOomKilled": Case(
        (
            INFO,
            (f'{_TERMINATED}{{{POD},container="model",reason="OOMKilled"}}', "_x{gap} 1x{faulty} 1x{healthy}"),
            (
                f'kube_pod_container_status_restarts_total{{{POD},container="model"}}',
                "0+0x{healthy} 0+1x{faulty} {faulty}+0x{healthy}",
            ),
        ),
        healthy=60,
    ),
    "PilotfishControlDown": gauge('up{namespace="system",pod="control-0",job="system/pilotfish"}', 1, 0),
    "PilotfishCpuThrottled": Case(
        (
            INFO,
            (f'container_cpu_cfs_periods_total{{{POD},container="model"}}', "0+600x{whole}"),
            (
                f'container_cpu_cfs_throttled_periods_total{{{POD},container="model"}}',
                "0+6x{healthy} {flat}+300x{faulty} {flat}+6x{healthy}",
            ),
        )
    ),
    "PilotfishDataQuality": gauge(f'pilotfish_data_quality_findings_open{{{OF_MODEL},kind="missing"}}', 0, 2),
    "PilotfishDriftAlarm": _EPISODE,
    "PilotfishEpisodeStuck": slow(_EPISODE, 5, 20, 900),
    "PilotfishErrorBudgetBurnFast": _BURN,
    "PilotfishErrorBudgetBurnSlow": _BURN,
    "PilotfishExchangesDropped": Case(
        (
            (f"pilotfish_exchanges_seen_total{{{POD}}}", "0+600x{whole}"),
            (
                f'pilotfish_exchanges_total{{{POD},fate="dropped",reason="channel_full"}}',
                "0+0x{healthy} 0+60x{faulty} {held}+0x{healthy}",
            ),
        )
    ),
    "PilotfishFalseAlarmBudgetSpent": Case(
        (
            (
                f'pilotfish_drift_alarms_total{{{OF_MODEL},family="features"}}',
                "0x{healthy} 5x{faulty} 5x{healthy} 5x{faulty} 5x{healthy}",
            ),
        ),
        step=60,
        healthy=360,
        faulty=24,
    ),
    "PilotfishFleetNotHeard": gauge(
        'pilotfish_pods{namespace="shop",monitor="delays",state="heard"}',
        3,
        1,
        ('pilotfish_pods{namespace="shop",monitor="delays",state="expected"}', "3x{whole}"),
    ),
    "PilotfishGpuXid": gauge(f'DCGM_FI_DEV_XID_ERRORS{{{POD},gpu="0"}}', 0, 79, INFO),
    "PilotfishInjectionFailing": Case(
        (
            (
                'pilotfish_admission_reviews_total{namespace="system",outcome="failed"}',
                "0+0x{healthy} 0+1x{faulty} {faulty}+0x{healthy}",
            ),
            ('pilotfish_admission_reviews_total{namespace="system",outcome="answered"}', "0+5x{whole}"),
        )
    ),
    "PilotfishInjectorNotReady": gauge('pilotfish_injector_ready{namespace="system",pod="injector-0"}', 1, 0),
    "PilotfishLatencyBudgetBurnFast": _LATE,
    "PilotfishLatencyBudgetBurnSlow": _LATE,
    "PilotfishLossHigh": slow(
        gauge(
            f'pilotfish_model_loss{{{OF_MODEL},kind="realized"}}',
            0.1,
            0.2,
            (f'pilotfish_model_loss{{{OF_MODEL},kind="reference"}}', "0.1x{whole}"),
        ),
        4,  # minutes: less than Prometheus looks back, for a recorded series
        10,
        20,
    ),
    "PilotfishModelUnreachable": gauge(f"pilotfish_upstreams_unreachable{{{POD}}}", 0, 1),
    "PilotfishNoLeader": gauge('pilotfish_control_leader{namespace="system",pod="control-0"}', 1, 0),
    "PilotfishPerformanceWorse": gauge(f'pilotfish_drift_evidence_ratio{{{OF_MODEL},family="performance"}}', 0.2, 1.5),
    "PilotfishPodUnschedulable": gauge(f"kube_pod_status_unschedulable{{{POD}}}", 0, 1, _ANALYZER),
    "PilotfishProfileMissing": Case(
        (
            (INFO[0], "1x{whole}"),
            (
                f'pilotfish_profile_info{{{POD},model="delays",version="7",hash="a"}}',
                "1x{healthy} _x{gap} 1x{healthy}",
            ),
        ),
        step=5,
        healthy=10,
        faulty=30,
    ),
    "PilotfishRequestTooLarge": slow(gauge(_REQUESTED, 1, 4, *_RECOMMENDED), 5, 20, 400),
    "PilotfishRequestTooSmall": slow(gauge(_REQUESTED, 1, 0.25, *_RECOMMENDED), 2, 40, 60),
    "PilotfishResizeDeferred": gauge(f'pilotfish_resize_state{{{_RESIZED},state="deferred"}}', 0, 1),
    "PilotfishResizeInfeasible": Case(
        ((f'pilotfish_resize_held{{{_RESIZED},reason="resize_infeasible"}}', "_x{gap} 1x{faulty} _x{healthy}"),),
        healthy=60,
    ),
    "PilotfishSidecarsOutdated": slow(
        gauge('pilotfish_sidecars_outdated{namespace="system",pod="control-0"}', 0, 3), 5, 20, 2050
    ),
    "PilotfishScalingAtLimit": gauge(
        f'pilotfish_scaling_signal_ratio{{{_SCALED},signal="concurrency"}}',
        1.0,
        1.4,
        (f"pilotfish_desired_replicas{{{_SCALED}}}", "5x{whole}"),
        (f"pilotfish_replicas{{{_SCALED}}}", "5x{whole}"),
    ),
    "PilotfishScalingBlind": _held("signals_missing"),
    "PilotfishScalingRefused": _held("autoscaler"),
    "PilotfishWebhookDead": gauge(f'pilotfish_outbox_entries{{{OF_MODEL},state="dead"}}', 0, 1),
}
