"""Alerts about replicas: signals that stay above their targets, other owners, signals that are missing."""

from __future__ import annotations

from .rule import Alert, Group

OWNED = (
    "applied_elsewhere",
    "autoscaler",
    "controlled",
    "gitops",
    "not_authorized",
    "not_scalable",
    "reverted",
    "scaled_object",
    "scaling_elsewhere",
)
BLIND = ("api_server_unreachable", "signals_missing", "stale", "target_not_found")
_BY = "namespace, monitor"
_WHO = "{{ $labels.namespace }}/{{ $labels.monitor }}"


def _held(reasons: tuple[str, ...]) -> str:
    return f'max by ({_BY}, reason) (pilotfish_scaling_held{{reason=~"{"|".join(reasons)}"}}) == 1'


SCALING = Group(
    "pilotfish-scaling",
    (
        Alert(
            "PilotfishScalingAtLimit",
            f"max by ({_BY}) (pilotfish_scaling_signal_ratio) > 1.1 and on ({_BY})"
            f" max by ({_BY}) (pilotfish_desired_replicas) == on ({_BY}) max by ({_BY}) (pilotfish_replicas)",
            "30m",
            "warning",
            f"The load of {_WHO} stays above its target, and no replica is added.",
            "A signal has been {{ $value | humanizePercentage }} of its target for 30 minutes. Either maxReplicas is "
            "reached, or more replicas do not help.",
        ),
        Alert(
            "PilotfishScalingRefused",
            _held(OWNED),
            "15m",
            "warning",
            f"Pilotfish may not scale {_WHO}: {{{{ $labels.reason }}}}.",
            "Another owner sets the replicas, or a right is missing. Pilotfish has left them alone for 15 minutes.",
        ),
        Alert(
            "PilotfishScalingBlind",
            _held(BLIND),
            "10m",
            "warning",
            f"Pilotfish cannot scale {_WHO}: {{{{ $labels.reason }}}}.",
            "The signals or the target cannot be read. The replicas have stayed as they are for 10 minutes, whatever "
            "the load.",
        ),
    ),
)
