"""The command `pilotfish recommend`: requests and limits that fit the real use of containers.

    ModelMonitors, workloads, pods --> gather.py --> Workload
                                                       |
    status.resources --> recommended.py ---------------+--> Recommended --> fitting.py --> Advice --> table.py
    Prometheus -> history.py ---+                      |                    (podspec)             --> documents.py
                                +-> compute.py --------+
    metrics.k8s.io -> sampling.py                (the recommender of the controller)

`gather.py`, `history.py` and `sampling.py` do the I/O, with rights to read only. All others are pure.

Glossary
    Workload      a Deployment or another owner of pods, with its running pods and its ModelMonitor, if it has one
    Recommended   target and bounds of the requests of one container, and where they come from
    Advice        a Recommended joined with the container: its resources then, the cost, and why it is not so yet
"""
