"""The control loop: turns what the report shows into effects, such as a retraining request.

    Report, document, clock --> Situation: facts with their ages, and the rules of each kind    observe.py situation.py
    Situation --policy--> Intent(kind, key, desired, observed, why), before any check           policy.py intent.py
    Intent --guard--> Decision: pending | recommended | refused, with its reason                guard.py reasons.py
    Decision --> IntentLedger: one entry per intent, the result of all operations               ledger.py
    operations --> Outbox: the ledger in a file                     outbox.py file_outbox.py outbox_file.py journal.py
                           or, in a cluster, in a ConfigMap         store_outbox.py store.py configmaps.py
    pending Entry --> superseded | due                                                          pending.py
    due Entry --Executor.apply--> Outcome: done | retry at | failed, with its reason            executor.py
    error of the API server --> Outcome, with the wait that it needs                            api_errors.py
    Outcome --> next operation                                                                  pending.py
    IntentLedger --> ControlStatus, for /report and /metrics                                    status.py

`loop.py` runs these steps once a second. `app.py` builds the loop from two tables, POLICIES and LANES, with one row per
kind: `notify/` and `retrain/`. Both send events by `webhook/`. In a cluster, `cluster.py` adds the executors that
create objects, and the kinds `resize/` and `scale/`, which share `workload/`; `download.py` fetches profiles. Outboxes,
stores, executors, loop and app do I/O; all other modules are pure.

The loop is level-triggered: it compares the current facts with the entries of the ledger, and stores no events. A
process that is killed at any step therefore finds the remaining work when it starts again. An attempt is recorded
before it begins. Each lane has an executor with a task of its own, so that a slow or failing executor never delays
another one.

Who decides in a cluster. With `pilotfish run`, this loop runs in the analyzer process and reads its Report. In a
cluster, pods only report their counts. The controller adds the counts of all pods of a monitor, runs detection on the
sum, and runs this same loop on the result, one loop per monitor. There is no second loop: the controller supplies
another source of facts and other executors.

Glossary. More terms: docs/glossary.md

situation     everything that a decision may depend on, as plain values
fact          a value with the time at which it was observed
rules         what the document allows for one kind: mode, cooldown, actions an hour, greatest age of a fact, obstacle
policy        a pure function from the situation to the intents of one kind
intent        one action that a policy wants. Its nature is ONCE (per cause: a retraining) or LEVEL (a desired against
              an observed value: replicas, resources)
key           the cause (ONCE) or the controlled object (LEVEL) of an intent, unique within its kind
guard         a pure function that decides whether an intent may be applied, with a reason from `reasons.Reason`
lane          a kind and one of its receivers, with an executor, rules and bounds of its own; most kinds have one lane
executor      the only part that causes an effect outside Pilotfish; one per lane
outcome       the result of one attempt of an executor
entry         an intent and its state
pending       allowed by the guard and not applied yet
delivered     applied: the executor reported success
dead          given up; an operator has to act
superseded    ended before it was applied: its cause ended, a newer intent for its key replaced it, or it was dropped
dropped       an attempt without effect, because the object does not have the observed value any more
episode       one cause of drift or of worse performance, from the alarm to its end
"""
