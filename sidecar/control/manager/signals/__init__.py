"""Signals of scaling that do not come from the sidecars.

    metrics.k8s.io --> pod_metrics.py                          CPU and memory of each pod, and its requests
                       quantity.py                             the numbers in objects of Kubernetes
    Prometheus     --> prometheus.py --> query_result.py       one number per query
                       endpoint.py                             where the administrator's Prometheus is

Each source implements `SignalSource` of ../scaling_sources.py. A value that is missing, stale or ambiguous is absent,
and `problems` says why; no source repeats an old value.
"""
