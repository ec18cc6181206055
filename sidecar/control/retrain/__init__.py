"""The kind `retrain`: requests a retraining once per cause, by a signed webhook or by an object of a cluster.

    open episode, alert --> Intent of nature ONCE; its desired value is the event   policy.py event.py alerts.py
    Intent --> signed request                                           `webhook`
    Intent --> Job, Workflow or PipelineRun, created once  job.py argo.py tekton.py objects.py parameters.py
    object --> RetrainingFacts: running, succeeded, failed              watcher.py record.py
    facts, episodes, version in force --> RetrainingRecord: did it help?   outcome.py

docs/retraining.md describes the request, docs/retraining-cluster.md the objects. More terms: docs/glossary.md
"""
