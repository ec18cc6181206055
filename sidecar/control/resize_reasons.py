"""The rows of the table of reasons (`reasons.py`) about resources: value, meaning, remedy; alphabetically."""

from __future__ import annotations

AT_MAXIMUM = (
    "at_maximum",
    "the use asks for more than the maximum of spec.resources",
    "raise the maximum, or spread the load over more pods",
)
CONTAINER_NOT_FOUND = (
    "container_not_found",
    "no pod of the target has the container",
    "correct spec.resources.container",
)
CONTAINER_NOT_RUNNING = (
    "container_not_running",
    "the container does not run at present; a resize waits until it has restarted",
)
CPU_THROTTLED = "cpu_throttled", "the CPU limit throttles the container"
HORIZONTAL_OWNS_CPU = (
    "horizontal_owns_cpu",
    "the number of replicas follows the use of CPU, so the CPU of a pod is not changed",
    "scale by another signal, or remove spec.resources.cpu",
)
HORIZONTAL_OWNS_MEMORY = (
    "horizontal_owns_memory",
    "the number of replicas follows the use of memory, so the memory of a pod is not changed",
    "scale by another signal, or remove spec.resources.memory",
)
INIT_CONTAINER = (
    "init_container",
    "the container is an init container, which ends before the pod serves",
    "name another container in spec.resources.container",
)
LIMIT_RANGE = (
    "limit_range",
    "a LimitRange of the namespace limits the resources of a container",
    "change the LimitRange, if the recommendation should apply",
)
LOW_CONFIDENCE = "low_confidence", "the use has not been observed for long enough"
MEMORY_IN_USE = "memory_in_use", "the container uses too much memory to lower its memory limit"
NODE_CAPACITY = (
    "node_capacity",
    "the node is smaller than what the pod would need",
    "use larger nodes, or lower spec.resources",
)
NOT_RESIZABLE = (
    "not_resizable",
    "the pod cannot be resized while it runs",
    "read the message; set spec.resources.method to rollout, if the pods may be replaced",
)
NOT_SET = (
    "not_set",
    "the container has no request or limit of the resource, and none is added",
    "add a request to the container",
)
OOM_KILLED = "oom_killed", "the container was killed because it used more memory than its limit, so it gets more"
OUTSIDE_BOUNDS = "outside_bounds", "the request is outside of the bounds of the recommendation"
POD_NOT_READY = (
    "pod_not_ready",
    "a pod is not ready since its resize; the other pods follow when it is ready",
    "read the Events and the log of the pod; delete the pod if it does not become ready",
)
POD_RESOURCES = (
    "pod_resources",
    "the resources of the whole pod leave no room for more",
    "raise spec.resources of the pod, in its template",
)
POOL_EXHAUSTED = (
    "pool_exhausted",
    "the pool has no CPU left for more",
    "raise the CPU of the pool, or lower the bounds of its monitors",
)
POOL_SHARE = "pool_share", "the CPU of each pod is its share of the pool"
POOL_TOO_SMALL = (
    "pool_too_small",
    "the minima of the monitors need more CPU than the pool has, so the CPU of all pods is not changed",
    "raise the CPU of the pool, or lower spec.resources.cpu.min of its monitors",
)
POOL_UNKNOWN = (
    "pool_unknown",
    "the administrator has defined no pool of this name in this namespace, so the CPU is not changed",
    "ask the administrator for the pool, or correct spec.resources.pool",
)
POOL_WAITING = (
    "pool_waiting",
    "the CPU is shared once all monitors of the pool are known",
    "wait for one interval; then read the condition Resizing of the monitors that the message names",
)
QOS_CLASS = (
    "qos_class",
    "the change would change the QoS class of the pod, which Kubernetes refuses",
    "set requests and limits as the message says",
)
QUOTA = "quota", "a ResourceQuota of the namespace has no room for more", "raise the quota, or lower spec.resources"
REQUEST_LIMIT = (
    "request_limit",
    "the request cannot exceed the limit of the container",
    "raise the limit, or set spec.resources.controlledValues to RequestsAndLimits",
)
RESIZE_DEFERRED = (
    "resize_deferred",
    "the node has no room for the resize at present; the kubelet tries again",
    "free the node, or lower spec.resources",
)
RESIZE_IN_PROGRESS = "resize_in_progress", "a pod is being resized; the next pod follows after that"
RESIZE_INFEASIBLE = (
    "resize_infeasible",
    "the node cannot carry out the resize, so the resources of the pod are not changed",
    "read the message of the node; lower spec.resources, or use larger nodes",
)
RESIZE_SLOW = (
    "resize_slow",
    "a resize has been in progress for too long",
    "read the Events of the pod, and the log of the kubelet of its node",
)
RESIZE_UNSUPPORTED = (
    "resize_unsupported",
    "the cluster cannot resize a running pod",
    "use Kubernetes 1.33 or newer, or set spec.resources.method to rollout",
)
RESIZE_WITHOUT_EFFECT = (
    "resize_without_effect",
    "the container uses no more than before, although its limit was raised",
    "read the message: the runtime may read its limits only at the start",
)
RESIZING = "resizing", "requests and limits follow the use"
RESIZING_ELSEWHERE = (
    "resizing_elsewhere",
    "an older ModelMonitor decides on this container",
    "remove spec.resources from one of the two",
)
RESTART_NEEDED = (
    "restart_needed",
    "the resizePolicy of the container restarts it when this resource is resized",
    "set spec.resources.allowRestart, or the resizePolicy NotRequired",
)
SERVER_VERSION = (
    "server_version",
    "the API server is too old for the resize",
    "upgrade the cluster, or set spec.resources.method to rollout",
)
TARGET_MOVED = "target_moved", "the request has differed from the recommendation for 12 hours"
TEMPLATE_OWNED = (
    "template_owned",
    "another client or controller sets the resources in the template of the target",
    "set spec.resources.method to inPlace, which leaves the template alone",
)
USAGE_MISSING = (
    "usage_missing",
    "the use of the container is not known",
    "check metrics-server, and that the pods run",
)
VERTICAL_AUTOSCALER = (
    "vertical_autoscaler",
    "a VerticalPodAutoscaler sets the resources of the target",
    "delete it or set its updateMode to Off, or remove spec.resources",
)
WITHIN_BOUNDS = "within_bounds", "the requests are within the bounds of the recommendation"
