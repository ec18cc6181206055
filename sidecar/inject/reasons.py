"""Reasons of injections: why a pod got its mode, or why nothing was injected.

The value of a reason is that of the metric label `reason` and of the annotation `pilotfish.dev/injection`. Its `camel`
is the reason of the Event. Users query these values, so they must not change.
"""

from __future__ import annotations

from ..reason import ReasonTable


class InjectionReason(ReasonTable):
    """All reasons, alphabetically."""

    ADDRESS_BOUND = (
        "address_bound",
        "an argument makes the model server listen on one address, where the proxy does not reach it",
        "let the model server listen on 0.0.0.0",
    )
    ALREADY_INJECTED = "already_injected", "the pod has the sidecars already; it stays as it is"
    ANNOTATION_INVALID = (
        "annotation_invalid",
        "an annotation or a setting of the monitor has a value that cannot be used for the pod",
        "correct the annotation or setting that the message names",
    )
    ANNOTATIONS_FULL = (
        "annotations_full",
        "the pod's annotations leave no room for that of the injection",
        "remove a large annotation from the pod template",
    )
    CONTAINER_NOT_FOUND = (
        "container_not_found",
        "the annotation pilotfish.dev/container names a container that the pod does not have",
        "name one of the pod's containers in the annotation",
    )
    FORWARDED_BY_NUMBER = (
        "forwarded_by_number",
        "another container forwards requests to a port of the model server by number, and the server cannot be moved",
        "set the annotation pilotfish.dev/move-argument or pilotfish.dev/move-env",
    )
    HOST_NETWORK = (
        "host_network",
        "the pod uses the network of its node, where other pods' ports can collide with those of the proxy",
        "run the model without hostNetwork",
    )
    HOST_PORT = (
        "host_port",
        "a port of the model server is published on the node by hostPort, which bypasses the proxy",
        "remove hostPort, or exclude the port with the annotation pilotfish.dev/ports",
    )
    KNOWN_SERVER = "known_server", "the model server is known, and its argument or variable sets another port"
    LIMIT_RANGE = (
        "limit_range",
        "a LimitRange of the namespace does not allow the resources of the sidecars",
        "raise the maximum of the LimitRange, or lower the resources of the sidecars in the values of the chart",
    )
    MESH = (
        "mesh",
        "a service mesh in the pod redirects the traffic, and the requested interception does not work with it",
        "set the annotation pilotfish.dev/interception to a mode that docs/injection.md lists for the mesh",
    )
    NAME_TAKEN = (
        "name_taken",
        "the pod has a container, volume or port with a name that the sidecars need",
        "rename the container, volume or port that the message names",
    )
    NAMED_PORTS = "named_ports", "all Services that select the pod target its ports by name"
    NO_PORTS = (
        "no_ports",
        "the container of the model has no TCP port that could carry predictions",
        "declare the port in the container's ports, or name it in the annotation pilotfish.dev/ports",
    )
    NO_SERVICE = (
        "no_service",
        "no Service targets a port of the model yet, and its ports have no names",
        "create the Service first, or name the container's port and use the name as targetPort",
    )
    NOT_PRIVILEGED = (
        "not_privileged",
        "the Pod Security level of the namespace does not admit the capability NET_ADMIN, which redirect needs",
        "use another interception, or label the namespace pod-security.kubernetes.io/enforce=privileged",
    )
    NOT_SELECTED = "not_selected", "no label of the pod or namespace and no monitor asks for injection"
    NUMERIC_PORTS = (
        "numeric_ports",
        "a Service or InferencePool targets a port by number, and the model server cannot be moved to another port",
        "name the port and use the name as targetPort, or set an annotation pilotfish.dev/move-argument or -env",
    )
    OPTED_OUT = "opted_out", "the label pilotfish.dev/inject=false excludes the pod"
    PORT_TAKEN = (
        "port_taken",
        "the pod uses a port that the sidecars need",
        "let the pod's own container use another port",
    )
    PRIVILEGED_NAMESPACE = "privileged_namespace", "the namespace admits NET_ADMIN, so nftables rules redirect the port"
    QUOTA = (
        "quota",
        "a ResourceQuota of the namespace has room for the pod, but not for its sidecars too",
        "raise the quota, or lower the resources of the sidecars in the values of the chart",
    )
    REQUESTED = "requested", "an annotation of the pod says how the model server is moved to another port"
    SEVERAL_CONTAINERS = (
        "several_containers",
        "several containers of the pod could be the model server",
        "name the container in the annotation pilotfish.dev/container",
    )
    WINDOWS = "windows", "the pod runs on Windows, for which there is no image of the sidecars"
