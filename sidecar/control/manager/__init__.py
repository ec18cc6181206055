"""The process `pilotfish control`: observes all ModelMonitors of a cluster and acts for them.

    Lease --> app.Controller: one of two replicas leads; leadership.py: its label, which the Service selects
    ModelMonitors, pods --> monitors.py (mirrors) --> one runtime per monitor
    POST /v1/sync --> server/: TLS, token, bounded body --> backend.py --> runtime.py --> core.py --> ../fleet/
    target, profiles --> refreshing.py --> core.py
    target --> target_watch.py: read once in an interval for both of the following
    replicas, signals --> scaling.py: the recommender each interval --> ../scale/guard.py --> acting.py
    use, limits of the namespace --> resizing.py: the recommender each interval --> ../resize/guard.py --> acting.py
    target --> injection.py: pods without a sidecar; signals, Services --> bypass.py: traffic that passes no proxy
    pods of each target --> claims.py: which monitor a pod follows
    core.py --> storing.py (checkpoint, by compare-and-swap) --> published report --> acting.py: ../loop.py
    published report, ledger --> status_writer.py, announcing.py (Events), audit.py

`core.py` is the state of one monitor, without I/O and clock; `world.py` lists all that its runtime needs from outside.
`facts.py`, `conditions.py` and `status.py` are pure. Only `app.py` builds collaborators.

The order that must not break: an alarm is stored, then published, then acted on; counts are stored, then acknowledged;
a decision is stored, then carried out.

Glossary. More terms: docs/glossary.md

monitor     a ModelMonitor, identified by its UID
look        what one interval has read and computed about the replicas or the resources of a target
claim       the target of a monitor selects a pod; of several that claim it, the pod follows one: its owner
primary     the version that most serving pods have; retraining and status follow it
published   the report of the last stored state, on which the control loop may act
trouble     what prevents a monitor from working: a reason and a sentence
"""
