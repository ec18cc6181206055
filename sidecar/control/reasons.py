"""Reasons of decisions, outcomes and conditions: one table for metrics, the report, Kubernetes and docs/reasons.md.

The value of a reason is that of the metric label `reason`, and of `reason` in the report. Its `camel` is the `reason`
of a condition or an Event of a ModelMonitor. In addition to this table, `http_<status>` is a receiver's answer. Users
query these values, so they must not change. The rows of resizing are in `resize_reasons.py`.
"""

from __future__ import annotations

from ..reason import ReasonTable
from . import resize_reasons


class Reason(ReasonTable):
    """All reasons of the control loop, alphabetically."""

    ABOVE_TARGET = "above_target", "a signal is above its target, and more replicas are wanted"
    ACTIONS_PER_HOUR = (
        "actions_per_hour",
        "the document allows no further change within this hour",
        "wait, or raise actionsPerHour",
    )
    ADMISSION_DENIED = (
        "admission_denied",
        "an admission webhook or policy of the cluster refuses or alters the change",
        "read the message; let the owner of the webhook or policy admit the change, or set mode to recommend",
    )
    ALARM_CLOSED = "alarm_closed", "an alarm has ended"
    ALARM_OPENED = "alarm_opened", "an alarm was raised"
    ALERT = "alert", "an alert of Alertmanager requested it"
    ALREADY_EXISTS = (
        "already_exists",
        "an object with this name exists that Pilotfish did not create",
        "delete or rename the object that the message names",
    )
    API_MISSING = (
        "api_missing",
        "the cluster does not serve the kind of the object to create",
        "install Argo Workflows or Tekton Pipelines, or name another receiver in spec.retrain",
    )
    API_SERVER_UNREACHABLE = (
        "api_server_unreachable",
        "the API server has not answered the controller recently",
        "check the API server and the network of the controller; alarms and counts are kept",
    )
    APPLIED_ELSEWHERE = (
        "applied_elsewhere",
        "another client applies a manifest with the replicas server-side",
        "set spec.scaling.takeOwnership, and remove the replicas from the manifest after the first change",
    )
    AT_MAXIMUM = resize_reasons.AT_MAXIMUM
    AUTOSCALER = (
        "autoscaler",
        "a HorizontalPodAutoscaler scales the target",
        "delete the autoscaler, or set spec.scaling.surface to metric and let it follow the published number",
    )
    BACKLOG = "backlog", "too many events already wait for this receiver"
    BELOW_TARGET = "below_target", "all signals are below their targets, and fewer replicas are wanted"
    BLIND = "blind", "no traffic can be measured", "read docs/blind-spots.md"
    BLIND_ENDED = "blind_ended", "the traffic that could not be measured is measured again"
    BOUNDS = (
        "bounds",
        "minReplicas or maxReplicas limits the number of replicas",
        "raise maxReplicas or lower minReplicas, if the number should change further",
    )
    BYPASSED = (
        "bypassed",
        "the proxies of all pods have seen nothing but probes for 10 minutes, and a Service leads past them",
        "restart the workload, so that the injector sees the Service as it is now",
    )
    CHECKPOINT_FAILED = (
        "checkpoint_failed",
        "the state of the monitor cannot be stored, so no new alarm is published",
        "let the controller create and update ConfigMaps in its own namespace, and check its quota",
    )
    CLOCK = (
        "clock",
        "the clock of a pod differs from the controller's, so its counts do not fit into the open ticks",
        "synchronise the clocks of the nodes",
    )
    CONFLICT = "conflict", "the object has changed since it was read; the next check decides again"
    CONNECT = "connect", "the connection to the receiver failed"
    CONTAINER_NOT_FOUND = resize_reasons.CONTAINER_NOT_FOUND
    CONTAINER_NOT_RUNNING = resize_reasons.CONTAINER_NOT_RUNNING
    CONTROLLED = (
        "controlled",
        "a controller above the target owns its replicas",
        "name the object above in spec.targetRef, or set spec.scaling.surface to metric",
    )
    COOLDOWN = "cooldown", "the cooldown after the last change of this kind has not ended"
    CPU_THROTTLED = resize_reasons.CPU_THROTTLED
    DISCONNECTED = "disconnected", "the connection to the receiver was closed before its response"
    DISRUPTION_BUDGET = (
        "disruption_budget",
        "a PodDisruptionBudget does not allow fewer pods",
        "wait until its pods are healthy, or lower the budget",
    )
    DOCUMENT_INVALID = (
        "document_invalid",
        "the document has a problem; the last valid document stays in force",
        "correct the setting that the message names",
    )
    DRIFT = "drift", "a drift detector raised an alarm"
    DRIFT_DETECTED = (
        "drift_detected",
        "an episode of drift or of worse performance is open",
        "read the episode in the status and in the report; retrain, or rebaseline if the change is wanted",
    )
    EXECUTOR_ERROR = "executor_error", "carrying out the action failed with an unexpected error; see the log"
    FEWER_REPLICAS_TOO_SLOW = (
        "fewer_replicas_too_slow",
        "the latency was above its target with fewer replicas at this load, less than 30 minutes ago",
    )
    FORECAST = "forecast", "the load of past periods repeats, and it rises within one start-up time of a replica"
    GITOPS = (
        "gitops",
        "Argo CD or Flux applies the replicas from a repository",
        "let the tool ignore the replicas as the message says, and set spec.scaling.takeOwnership",
    )
    HORIZONTAL_OWNS_CPU = resize_reasons.HORIZONTAL_OWNS_CPU
    HORIZONTAL_OWNS_MEMORY = resize_reasons.HORIZONTAL_OWNS_MEMORY
    IDLE = "idle", "no retraining is wanted or in progress"
    INIT_CONTAINER = resize_reasons.INIT_CONTAINER
    INJECTED = "injected", "every pod of the target has a sidecar"
    INVALID_OBJECT = (
        "invalid_object",
        "the API server refuses the object as invalid",
        "correct the template or the setting that the message names",
    )
    KILL_SWITCH = (
        "kill_switch",
        "the kill switch of the controller is set, so Pilotfish changes nothing",
        "remove the kill switch of the controller",
    )
    LATE = "late", "the tick was closed before the counts arrived"
    LATENCY_ABOVE_TARGET = (
        "latency_above_target",
        "the latency is above its target, so replicas are added by one policy step and none is removed",
    )
    LATENCY_NEAR_TARGET = "latency_near_target", "the latency is near its target, so no replica is removed"
    LEARNING = "learning", "a profile is being learned from the first rows of the traffic"
    LIMIT = "limit", "there are more pods, epochs or counts than the controller keeps"
    LIMIT_RANGE = resize_reasons.LIMIT_RANGE
    LOW_CONFIDENCE = resize_reasons.LOW_CONFIDENCE
    MANUAL_CHANGE = (
        "manual_change",
        "somebody else changed the replicas; scaling waits for spec.scaling.manualHold, then continues from there",
    )
    MEMORY_IN_USE = resize_reasons.MEMORY_IN_USE
    MODE = "mode", "the mode in the document does not allow the action"
    MONITORING = "monitoring", "the counts of enough pods arrive, and drift detection runs on their sum"
    MORE_REPLICAS_DONT_HELP = (
        "more_replicas_dont_help",
        "replicas were added twice and the latency did not fall, so the number stays",
        "look for what limits all replicas: a database, a feature store, a quota, the CPU limit of each pod",
    )
    NO_DRIFT = "no_drift", "no episode is open"
    NO_IMPROVEMENT = (
        "no_improvement",
        "the retraining succeeded and a new version runs, but the episode is still open",
        "check the data of the retraining, and whether the cause is in the data pipeline",
    )
    NO_PODS = (
        "no_pods",
        "no pod of the target has a sidecar",
        "check the replicas of the target and that its pods are injected",
    )
    NO_PROBLEM = "no_problem", "nothing prevents or limits the work of the monitor"
    NO_PROFILE = (
        "no_profile",
        "the document names no profile, so only the traffic is measured",
        "add a profile to spec.profiles, or learn one",
    )
    NODE_CAPACITY = resize_reasons.NODE_CAPACITY
    NOT_AUTHORIZED = (
        "not_authorized",
        "the API server refuses the request of the controller",
        "grant the controller the verb and resource that the message names",
    )
    NOT_CONFIGURED = "not_configured", "the document has no block for this, so nothing is changed"
    NOT_INJECTED = (
        "not_injected",
        "pods of the target have no sidecar, so their traffic is not measured",
        "do what the message says, then restart the workload; `pilotfish doctor` finds the cause",
    )
    NOT_PUBLISHED = (
        "not_published",
        "the controller sets the replicas itself, so no other autoscaler may read the number",
        "set spec.scaling.surface to metric, or remove the autoscaler that asks for the number",
    )
    NOT_RESIZABLE = resize_reasons.NOT_RESIZABLE
    NOT_SCALABLE = (
        "not_scalable",
        "the kind of the target has no replicas to set",
        "name a Deployment, StatefulSet or another kind with a scale subresource, or remove spec.scaling",
    )
    NOT_SET = resize_reasons.NOT_SET
    ON_TARGET = "on_target", "the signals are within the tolerance of their targets"
    OOM_KILLED = resize_reasons.OOM_KILLED
    OUTSIDE_BOUNDS = resize_reasons.OUTSIDE_BOUNDS
    PARAMETERS = (
        "parameters",
        "a parameter refers to a field that the event does not have",
        "correct the parameter in spec.retrain that the message names",
    )
    PARTLY_BLIND = "partly_blind", "a part of the traffic cannot be measured", "read docs/blind-spots.md"
    PAUSED = (
        "paused",
        "the annotation pilotfish.dev/paused is set, so Pilotfish changes nothing",
        "remove the annotation",
    )
    PERFORMANCE = "performance", "labels show that the performance of the model became worse"
    PERSON = "person", "a person closed the episode"
    POD_NOT_READY = resize_reasons.POD_NOT_READY
    POD_RESOURCES = resize_reasons.POD_RESOURCES
    PODS_REFUSED = (
        "pods_refused",
        "the API server refuses pods that are wanted, as a ResourceQuota, a LimitRange or an admission webhook asks",
        "raise the quota, or correct what the message names; the workload's controller tries again within 17 minutes",
    )
    PODS_SILENT = (
        "pods_silent",
        "pods of the target have sent nothing for several ticks",
        "read the log of their analyzer, and check that they reach the Service of the controller",
    )
    POLICY_LIMIT = "policy_limit", "a policy of spec.scaling.behavior limits how fast the replicas change"
    POOL_EXHAUSTED = resize_reasons.POOL_EXHAUSTED
    POOL_SHARE = resize_reasons.POOL_SHARE
    POOL_TOO_SMALL = resize_reasons.POOL_TOO_SMALL
    POOL_UNKNOWN = resize_reasons.POOL_UNKNOWN
    POOL_WAITING = resize_reasons.POOL_WAITING
    PROFILE = "profile", "another profile is in force"
    PROFILE_IN_FORCE = "profile_in_force", "no profile is being learned"
    PROFILE_INVALID = (
        "profile_invalid",
        "the profile cannot be read",
        "build the profile again with `pilotfish profile build`",
    )
    PROFILE_NOT_FOUND = (
        "profile_not_found",
        "the ConfigMap or URL of the profile does not exist or cannot be reached",
        "create the ConfigMap with the key profile.json or profile.json.gz, or correct spec.profiles",
    )
    PUBLISHED = (
        "published",
        "the desired number is published for an autoscaler, because surface is metric; nothing is written",
    )
    QOS_CLASS = resize_reasons.QOS_CLASS
    QUORUM_MISSING = (
        "quorum_missing",
        "too few of the expected pods have sent their counts, so ticks stay open",
        "read the log of the analyzer in the pods that are missing",
    )
    QUOTA = resize_reasons.QUOTA
    RECOVERY = "recovery", "the data returned to the reference"
    REPLACED = "replaced", "a newer intent for the same object wants another value"
    REQUEST_LIMIT = resize_reasons.REQUEST_LIMIT
    RESIZE_DEFERRED = resize_reasons.RESIZE_DEFERRED
    RESIZE_IN_PROGRESS = resize_reasons.RESIZE_IN_PROGRESS
    RESIZE_INFEASIBLE = resize_reasons.RESIZE_INFEASIBLE
    RESIZE_SLOW = resize_reasons.RESIZE_SLOW
    RESIZE_UNSUPPORTED = resize_reasons.RESIZE_UNSUPPORTED
    RESIZE_WITHOUT_EFFECT = resize_reasons.RESIZE_WITHOUT_EFFECT
    RESIZING = resize_reasons.RESIZING
    RESIZING_ELSEWHERE = resize_reasons.RESIZING_ELSEWHERE
    RESOLVED = "resolved", "the alert has ended"
    RESTART = "restart", "a restart lost the evidence of the episode, because its state was damaged"
    RESTART_NEEDED = resize_reasons.RESTART_NEEDED
    RETRAINING_FAILED = (
        "retraining_failed",
        "the retraining that was started has failed",
        "read the log of the object that the episode names",
    )
    RETRAINING_GONE = (
        "retraining_gone",
        "the object of the retraining was deleted before Pilotfish saw its end",
        "check in your training system whether the model was trained; if not, close the episode",
    )
    RETRAINING_REQUESTED = "retraining_requested", "a retraining is requested and has not ended"
    RETRAINING_SUCCEEDED = "retraining_succeeded", "the last retraining has succeeded"
    REVERTED = (
        "reverted",
        "another client has set the replicas back several times",
        "remove the replicas from what the named client applies, then set another number by `kubectl scale`",
    )
    ROLLOUT_IN_PROGRESS = (
        "rollout_in_progress",
        "a rollout of the target is in progress; replicas and resources stay until it has ended",
        "if the rollout does not end, run `kubectl rollout status` on the target",
    )
    SATISFIED = "satisfied", "the observed value equals the desired one"
    SCALED_OBJECT = (
        "scaled_object",
        "a ScaledObject of KEDA scales the target",
        "delete the ScaledObject, or set spec.scaling.surface to metric and give it a trigger of type metrics-api",
    )
    SCALING = "scaling", "replicas follow the signals"
    SCALING_DISABLED = (
        "scaling_disabled",
        "the target has 0 replicas, which switches scaling off, as with an HPA",
        "scale the target to at least 1 replica",
    )
    SCALING_ELSEWHERE = (
        "scaling_elsewhere",
        "an older ModelMonitor scales this target already",
        "remove spec.scaling from one of the two",
    )
    SECRET = "secret", "the secret cannot be used", "check the Secret or file that the document names, and its key"
    SECRET_REF = "secret_ref", "the document names a Kubernetes Secret, which exists only in a cluster"
    SERVER_VERSION = resize_reasons.SERVER_VERSION
    SETTLING = "settling", "the signals are older than the last change of the replicas; the next ones decide"
    SIGNALS_MISSING = (
        "signals_missing",
        "fewer than half of the ready pods have sent recent signals, or no signal can be read; replicas stay",
        "read the message and the log of the analyzer in the pods that are missing",
    )
    STABILIZED = "stabilized", "a stabilisation window of spec.scaling.behavior delays the change"
    STALE = "stale", "the data is too old to decide on"
    STARTING = "starting", "replicas are starting, and the number is enough for the arriving requests"
    TARGET_MOVED = resize_reasons.TARGET_MOVED
    TARGET_NOT_FOUND = (
        "target_not_found",
        "the workload in spec.targetRef does not exist or has no pod selector",
        "correct spec.targetRef",
    )
    TARGET_SHARED = (
        "target_shared",
        "the target of an older ModelMonitor selects these pods, too, and a pod follows one monitor",
        "give the two monitors different targets, or delete one of them",
    )
    TEMPLATE_NOT_FOUND = (
        "template_not_found",
        "the CronJob, WorkflowTemplate or Pipeline in spec.retrain does not exist",
        "create it in the namespace of the monitor, or correct spec.retrain",
    )
    TEMPLATE_OWNED = resize_reasons.TEMPLATE_OWNED
    THROTTLED = "throttled", "the API server asks to wait"
    TIMEOUT = "timeout", "the receiver did not respond in time"
    TLS = "tls", "the receiver's certificate could not be verified"
    UNKNOWN = "unknown", "the episode ended without a recorded cause"
    UNSCHEDULABLE = (
        "unschedulable",
        "a pod of the target waits for a node with room; until it has one, no further pod is added",
        "add nodes, or lower the requests of the pods or maxReplicas; a node autoscaler sees the pod that waits",
    )
    UNSUBSCRIBED = "unsubscribed", "the receiver is configured without this event"
    URL = "url", "the receiver's URL cannot be used", "check the URL or the file with it"
    URL_REFUSED = (
        "url_refused",
        "the host of the URL is not allowed, or its address is internal",
        "add the host to the controller's --allow-webhook-host, if it should be reached",
    )
    USAGE_MISSING = resize_reasons.USAGE_MISSING
    VERSION_UNPROFILED = (
        "version_unprofiled",
        "no profile matches a version that runs, so its drift is not measured",
        "add a profile for the version to spec.profiles",
    )
    VERTICAL_AUTOSCALER = resize_reasons.VERTICAL_AUTOSCALER
    WAITING = "waiting", "the controller does not have enough data yet"
    WITHDRAWN = "withdrawn", "the policy no longer wants the action"
    WITHIN_BOUNDS = resize_reasons.WITHIN_BOUNDS
