"""The section about the Pilotfish of the nodes: what it lacks, who asks, and which GPUs the kubelets have given."""

from __future__ import annotations

from ..model import ZERO_IS_GOOD, Panel, Section, Target
from ..queries import growth, total

NO_NODE = "no node has pilotfish node (node.enabled)"

NODES = Section(
    "Nodes",
    (
        Panel(
            "lines",
            "Missing sources of nodes",
            "Nodes whose kubelet, cgroups or ResourceSlices cannot be read, by reason (docs/node.md).",
            (Target(total("pilotfish_node_problem", "reason"), "{{reason}}"),),
            empty="no node lacks a source",
            steps=ZERO_IS_GOOD,
        ),
        Panel(
            "lines",
            "Answers of nodes",
            "Requests of pods for their figures, by status and reason of a refusal.",
            (Target(total(growth("pilotfish_node_requests_total"), "status", "reason"), "{{status}} {{reason}}"),),
            empty=NO_NODE,
        ),
        Panel(
            "lines",
            "Questions to kubelets",
            "Questions of the nodes to their kubelet, by method and outcome.",
            (
                Target(
                    total(growth("pilotfish_node_kubelet_requests_total"), "method", "outcome"),
                    "{{method}} {{outcome}}",
                ),
            ),
            empty=NO_NODE,
        ),
        Panel(
            "lines",
            "Devices of kubelets",
            "Devices that the kubelets can give, and those that they have given, by resource or DRA driver.",
            (Target(total("pilotfish_node_devices", "resource", "state"), "{{resource}} {{state}}"),),
            empty="no kubelet has devices",
        ),
        Panel(
            "lines",
            "GPUs and pods of nodes",
            "GPUs that the drivers list, pods on these nodes, and pods that ask for their figures.",
            (
                Target(total("pilotfish_node_gpus"), "GPUs"),
                Target(total("pilotfish_node_pods"), "pods"),
                Target(total("pilotfish_node_callers"), "pods that ask"),
            ),
            empty=NO_NODE,
        ),
    ),
)
