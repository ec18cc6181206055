"""The admission webhook: the server of `pilotfish injector`.

    API server --POST /inject--> views.py     bounded body and time; every failure ends in an answer
                             --> review.py    AdmissionReview <--> ReviewRequest, ReviewAnswer; pure
                             --> decide.py    pod + what is known about its surroundings --> inject() --> Decision
    mirrors.py   Services, monitors and the other objects that a decision needs, by namespace
    owners.py    pod --> ReplicaSet --> Deployment, from references
    reporting.py Decision --> Event on the owner, metrics, log
    publishing.py  bundle of the certificates --> caBundle of the webhook, and a ConfigMap per namespace

All replicas serve and publish: every write is idempotent, so that none has to lead. `app.py` composes the parts.
"""
