"""Builds the recording rules and alerts for Prometheus from Python.

| module | content |
| --- | --- |
| rule | the description of a rule, and the text of a rule file |
| recorded | the recording rules of traffic and detection |
| usage | those of CPU, GPU, energy and cost |
| model | alerts about a model: errors, latency, drift, data |
| scaling | alerts about replicas |
| resizing | alerts about requests and limits |
| pilotfish | alerts about Pilotfish: measuring, cluster, actions |

`make generate` writes them into `helm/files/rules.yaml` (the chart) and `dashboards/provisioning/rules.yaml`, and the
head of each page in `docs/runbooks`. `tests/alerts` has a test of each alert.
"""

from __future__ import annotations

from .model import DRIFT, SERVICE
from .pilotfish import ACTIONS, CLUSTER, MEASURING
from .recorded import RECORDED
from .resizing import RESIZING
from .scaling import SCALING
from .usage import USAGE

GROUPS = (*RECORDED, USAGE, SERVICE, DRIFT, MEASURING, CLUSTER, ACTIONS, SCALING, RESIZING)
