"""The command `pilotfish recommend`: requests and limits that fit the real use of containers.

    ModelMonitors, workloads, pods --> gather.py -----> MeasuredWorkload --+
                                                                           |
    status.resources --> recommended.py --+                                +--> fitting.py --> Advice --> table.py
    Prometheus --> history.py ---+        +--> ContainerRecommendation ----+    (podspec)             --> documents.py
                                 +-> compute.py (recommender of the controller)
    metrics.k8s.io -> sampling.py

`measure.py` chooses the sources. `gather.py`, `history.py` and `sampling.py` do the I/O, with rights to read only. The
others are pure.

Glossary
    MeasuredWorkload         a Deployment or another owner of pods, with its running pods and its monitor, if it has one
    ContainerRecommendation  target and bounds of the requests of one container, and where they come from
    Advice                   a recommendation joined with its container: the resources then, the cost, what hinders it
"""
