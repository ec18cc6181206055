"""Labels and annotations of pods and namespaces that the injector reads and writes."""

from __future__ import annotations

LABEL = "pilotfish.dev/inject"  # on a pod: true or false; on a namespace: all or monitored
INJECTED = "pilotfish.dev/injected"
RELEASE = "pilotfish.dev/release"
INJECTION = "pilotfish.dev/injection"  # the outcome, as JSON
INTERCEPTION = "pilotfish.dev/interception"
CONTAINER = "pilotfish.dev/container"
PORTS = "pilotfish.dev/ports"
MOVE_ARGUMENT = "pilotfish.dev/move-argument"
MOVE_ENV = "pilotfish.dev/move-env"
RESOURCES = "pilotfish.dev/resources"  # what a new pod got from its monitor, as JSON
SAFE_TO_EVICT = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"  # else such a volume keeps its node

ENFORCE = "pod-security.kubernetes.io/enforce"
SYSTEM_NAMESPACES = frozenset({"kube-node-lease", "kube-public", "kube-system"})
