"""The variables that several dashboards share, each chained to those before it."""

from __future__ import annotations

from ..model import Variable
from ..queries import OF_PODS, SELECTED, series

NAMESPACE = Variable(
    "namespace",
    "Namespace",
    "label_values(pilotfish_model_info, namespace)",
    "Namespace of the pods, or of the ModelMonitor.",
)
MODEL = Variable(
    "model",
    "Model",
    'label_values(pilotfish_model_info{namespace=~"$namespace"}, model)',
    "Name of the model in the ModelMonitor document.",
)
VERSION = Variable(
    "version",
    "Version",
    'label_values(pilotfish_model_info{namespace=~"$namespace", model=~"$model"}, version)',
    "Version of the model.",
)
POD = Variable(
    "pod",
    "Pod",
    f"label_values({series('pilotfish_model_info', OF_PODS, scope=SELECTED)}, pod)",
    "Pods of the selected models that have a sidecar. It does not restrict results of the controller.",
)
ALL_PODS = Variable(
    "pod",
    "Pod",
    'label_values(pilotfish_build_info{namespace=~"$namespace"}, pod)',
    "Pods with a sidecar.",
)
MONITOR = Variable(
    "monitor",
    "Monitor",
    'label_values(pilotfish_pods{namespace=~"$namespace"}, monitor)',
    "Name of the ModelMonitor; empty outside of a cluster.",
)
FEATURE = Variable(
    "feature",
    "Feature",
    'label_values(pilotfish_feature_psi{namespace=~"$namespace", model=~"$model"}, feature)',
    "Columns of the profile.",
)
