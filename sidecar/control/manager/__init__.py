"""The process `pilotfish control`: observes all ModelMonitors of a cluster and acts for them.

    Lease --> leadership.py: one of two replicas leads; it alone labels its pod, writes and answers pods
    ModelMonitors, pods --> monitors.py: one runtime per monitor
    POST /v1/sync --> server/: TLS, token, bounded body --> the runtime of the monitor --> ../fleet/
    alarms --> ../loop.py, one loop per monitor, with the ledger in a ConfigMap
    status, conditions, Events, audit, metrics <-- runtime

Terms: docs/glossary.md
"""
