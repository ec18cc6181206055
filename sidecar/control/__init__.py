"""From facts to an effect: what is known, what is wanted, what is allowed, what was done.

    Report, document, clock --> Situation: facts with their ages, and the rules of each kind    view.py situation.py
    Situation --policy--> Intent(kind, key, desired, observed, why), whatever may forbid it     policy.py intent.py
    Intent --guard--> Decision: pending | recommended | refused, with its reason                guard.py reasons.py
    Decision --> Ledger: one Entry per intent, folded from operations                           ledger.py
    operations --> Outbox: the ledger's durable form, an append-only file                       outbox.py journal.py
    pending Entry --> superseded | due                                                          pending.py
    due Entry --Executor.apply--> Outcome: done | retry at | failed, with its reason            executor.py
    Outcome --> next operation                                                                  pending.py
    Ledger --> Status, for /report and /metrics                                                 status.py

`loop.py` runs this once a second, and `app.py` composes it from two tables, POLICIES and EXECUTORS, with one row per
kind. Today the one kind is `retrain/`. Everything above is a pure function or a value, except outbox, executors, loop
and app.

The loop compares levels, never edges: the facts of the moment with the entries of the ledger. A process that is killed
at any step therefore finds, when it starts again, exactly what is left to do. Each executor runs in a task of its own,
so that one that is slow or fails never holds another one back.

Who decides in a cluster. With `pilotfish run`, this loop is embedded beside the analyzer and reads its Report. In a
cluster, pods only report their counts. The controller folds the counts of all pods of a monitor, runs detection on the
sum, and runs this very loop on the result, one loop per monitor. There is no second loop: the controller supplies
another source of facts and other executors.

Glossary

situation     everything that a decision may depend on, as plain values
fact          a value with the time at which it was observed
rules         what the document allows for one kind: mode, cooldown, greatest age of a fact, target, obstacle
policy        a pure function from the situation to the intents of one kind
intent        one wish of a policy. Its nature is ONCE (per cause: a retraining) or LEVEL (desired against observed:
              replicas, resources)
key           the cause (ONCE) or the governed object (LEVEL) of an intent, within its kind
guard         a pure function that decides whether an intent may be applied, with a reason from `reasons.Reason`
executor      the only part with an effect on the world; one per kind
outcome       the result of one attempt of an executor
entry         an intent with what became of it
pending       decided on and not applied yet
delivered     applied: the executor reported that the effect is there
dead          given up; a person has to look at it
superseded    ended before it was applied: its cause ended, or a newer intent for its key replaced it
episode       one cause of drift or of worse performance, from the alarm to its end
"""
