"""The conditions of a ModelMonitor: their meanings, and the reasons that each may have.

They follow kstatus: Ready is about the work of Pilotfish, so drift of the model never makes it False. The manager
writes them; docs/modelmonitor.md shows this table.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .reasons import Reason


@dataclass(frozen=True, slots=True)
class ConditionType:
    """A type of condition: its `meaning`, and its reasons while it is True and while it is False.

    While it is Unknown, its reason is `waiting` or one of `unknown`.
    """

    meaning: str
    true: tuple[Reason, ...]
    false: tuple[Reason, ...]
    unknown: tuple[Reason, ...] = field(default=(Reason.WAITING,))


_BROKEN = (
    Reason.CHECKPOINT_FAILED,
    Reason.DOCUMENT_INVALID,
    Reason.NOT_AUTHORIZED,
    Reason.PROFILE_INVALID,
    Reason.PROFILE_NOT_FOUND,
    Reason.TARGET_NOT_FOUND,
)
_UNOBSERVED = (
    Reason.BYPASSED,
    Reason.NOT_INJECTED,
    Reason.NO_PODS,
    Reason.NO_PROFILE,
    Reason.PODS_SILENT,
    Reason.QUORUM_MISSING,
    Reason.TARGET_SHARED,
    Reason.VERSION_UNPROFILED,
)

# in the order of the status
CONDITIONS: dict[str, ConditionType] = {
    "Ready": ConditionType(
        "The monitor is accepted and does what its document asks for. Drift never makes it False.",
        (Reason.LEARNING, Reason.MONITORING, Reason.NO_PROFILE),
        (*_BROKEN, *(reason for reason in _UNOBSERVED if reason is not Reason.NO_PROFILE)),
        (Reason.API_SERVER_UNREACHABLE, Reason.WAITING),
    ),
    "Injected": ConditionType(
        "Every pod of the target has a sidecar.",
        (Reason.INJECTED,),
        (Reason.NOT_INJECTED,),
        (
            Reason.API_SERVER_UNREACHABLE,
            Reason.DOCUMENT_INVALID,
            Reason.NOT_AUTHORIZED,
            Reason.NO_PODS,
            Reason.TARGET_NOT_FOUND,
            Reason.WAITING,
        ),
    ),
    "Observing": ConditionType(
        "Enough pods send their counts, and ticks are closed.",
        (Reason.LEARNING, Reason.MONITORING),
        (*_BROKEN, *_UNOBSERVED),
    ),
    "Learning": ConditionType(
        "A profile is being learned.",
        (Reason.LEARNING,),
        (Reason.NO_PROFILE, Reason.PROFILE_IN_FORCE, *_BROKEN),
    ),
    "Drifted": ConditionType(
        "An episode is open.",
        (Reason.DRIFT_DETECTED,),
        (Reason.NO_DRIFT,),
        (*_BROKEN, *_UNOBSERVED, Reason.LEARNING, Reason.WAITING),
    ),
    "Retraining": ConditionType(
        "A retraining is requested and has not ended.",
        (Reason.RETRAINING_REQUESTED,),
        (
            Reason.IDLE,
            Reason.NO_IMPROVEMENT,
            Reason.RETRAINING_FAILED,
            Reason.RETRAINING_GONE,
            Reason.RETRAINING_SUCCEEDED,
        ),
    ),
    "Scaling": ConditionType(
        "The replicas follow the signals, or their desired number is published for another autoscaler.",
        (Reason.PUBLISHED, Reason.SCALING, Reason.SETTLING, Reason.STARTING),
        (
            Reason.ACTIONS_PER_HOUR,
            Reason.ADMISSION_DENIED,
            Reason.API_MISSING,
            Reason.APPLIED_ELSEWHERE,
            Reason.AUTOSCALER,
            Reason.BACKLOG,
            Reason.CONFLICT,
            Reason.CONTROLLED,
            Reason.COOLDOWN,
            Reason.DISRUPTION_BUDGET,
            Reason.EXECUTOR_ERROR,
            Reason.GITOPS,
            Reason.INVALID_OBJECT,
            Reason.KILL_SWITCH,
            Reason.MANUAL_CHANGE,
            Reason.MODE,
            Reason.MORE_REPLICAS_DONT_HELP,
            Reason.NOT_AUTHORIZED,
            Reason.NOT_CONFIGURED,
            Reason.NOT_SCALABLE,
            Reason.PAUSED,
            Reason.PODS_REFUSED,
            Reason.REVERTED,
            Reason.ROLLOUT_IN_PROGRESS,
            Reason.SCALED_OBJECT,
            Reason.SCALING_ELSEWHERE,
            Reason.SIGNALS_MISSING,
            Reason.TARGET_NOT_FOUND,
            Reason.SCALING_DISABLED,
            Reason.THROTTLED,
            Reason.UNSCHEDULABLE,
        ),
        (Reason.API_SERVER_UNREACHABLE, Reason.STALE, Reason.WAITING),
    ),
    "Resizing": ConditionType(
        "Requests and limits of the container follow its use, or are right already.",
        (Reason.RESIZE_IN_PROGRESS, Reason.RESIZING, Reason.SETTLING, Reason.WITHIN_BOUNDS),
        (
            Reason.ACTIONS_PER_HOUR,
            Reason.ADMISSION_DENIED,
            Reason.API_MISSING,
            Reason.AT_MAXIMUM,
            Reason.BACKLOG,
            Reason.CONFLICT,
            Reason.CONTAINER_NOT_FOUND,
            Reason.CONTAINER_NOT_RUNNING,
            Reason.COOLDOWN,
            Reason.DOCUMENT_INVALID,
            Reason.EXECUTOR_ERROR,
            Reason.HORIZONTAL_OWNS_CPU,
            Reason.HORIZONTAL_OWNS_MEMORY,
            Reason.INIT_CONTAINER,
            Reason.INVALID_OBJECT,
            Reason.KILL_SWITCH,
            Reason.LIMIT_RANGE,
            Reason.LOW_CONFIDENCE,
            Reason.MEMORY_IN_USE,
            Reason.MODE,
            Reason.NODE_CAPACITY,
            Reason.NOT_AUTHORIZED,
            Reason.NOT_CONFIGURED,
            Reason.NOT_RESIZABLE,
            Reason.NOT_SET,
            Reason.PAUSED,
            Reason.POD_NOT_READY,
            Reason.POD_RESOURCES,
            Reason.POOL_EXHAUSTED,
            Reason.POOL_TOO_SMALL,
            Reason.POOL_UNKNOWN,
            Reason.POOL_WAITING,
            Reason.QOS_CLASS,
            Reason.QUOTA,
            Reason.REQUEST_LIMIT,
            Reason.RESIZE_DEFERRED,
            Reason.RESIZE_INFEASIBLE,
            Reason.RESIZE_SLOW,
            Reason.RESIZE_UNSUPPORTED,
            Reason.RESIZE_WITHOUT_EFFECT,
            Reason.RESIZING_ELSEWHERE,
            Reason.RESTART_NEEDED,
            Reason.ROLLOUT_IN_PROGRESS,
            Reason.SERVER_VERSION,
            Reason.TARGET_NOT_FOUND,
            Reason.TEMPLATE_OWNED,
            Reason.THROTTLED,
            Reason.UNSCHEDULABLE,
            Reason.USAGE_MISSING,
            Reason.VERTICAL_AUTOSCALER,
        ),
        (Reason.API_SERVER_UNREACHABLE, Reason.NO_PODS, Reason.STALE, Reason.WAITING),
    ),
    "Blocked": ConditionType(
        "An action is wanted, and a person has to act before it can be done.",
        (
            Reason.ADMISSION_DENIED,
            Reason.ALREADY_EXISTS,
            Reason.API_MISSING,
            Reason.BACKLOG,
            Reason.CONNECT,
            Reason.DISCONNECTED,
            Reason.EXECUTOR_ERROR,
            Reason.INVALID_OBJECT,
            Reason.KILL_SWITCH,
            Reason.NOT_AUTHORIZED,
            Reason.NO_IMPROVEMENT,
            Reason.PARAMETERS,
            Reason.PAUSED,
            Reason.RETRAINING_FAILED,
            Reason.RETRAINING_GONE,
            Reason.SECRET,
            Reason.TEMPLATE_NOT_FOUND,
            Reason.THROTTLED,
            Reason.TIMEOUT,
            Reason.TLS,
            Reason.URL,
            Reason.URL_REFUSED,
        ),
        (Reason.NO_PROBLEM,),
    ),
    "Degraded": ConditionType(
        "The monitor works in part: the last valid document is in force, a version has no profile, or pods are silent.",
        (
            Reason.BLIND,
            Reason.BYPASSED,
            Reason.CHECKPOINT_FAILED,
            Reason.CLOCK,
            Reason.DOCUMENT_INVALID,
            Reason.NOT_AUTHORIZED,
            Reason.NOT_INJECTED,
            Reason.PARTLY_BLIND,
            Reason.PODS_SILENT,
            Reason.PROFILE_INVALID,
            Reason.PROFILE_NOT_FOUND,
            Reason.QUORUM_MISSING,
            Reason.TARGET_SHARED,
            Reason.VERSION_UNPROFILED,
        ),
        (Reason.NO_PROBLEM,),
    ),
}
