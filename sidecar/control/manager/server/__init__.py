"""The HTTP API of the controller: pods sync, senders of labels and Alertmanager post, Prometheus scrapes.

    connection --> ../../../serving/   TLS; bounds connections, heads, bodies and times
    request    --> views.py            the order of the checks, and one view per path
                   ../../../callers/   bearer token --> TokenReview --> Caller; requests of a caller per second
                   authorization.py    the pod of the token is the pod of the body; else SubjectAccessReview
                   limits.py           requests of a caller at once; memory of all bodies
                   bodies.py           reads and decompresses a body within these limits
               --> backend.py          what the rest of the controller answers
    labels     --> feedback.py --> label_desk.py <--> pods that fetch them with their signals
    profiles   --> profiles.py
    replicas   --> scaling.py           the desired number, for KEDA
    counters   --> tallies.py --> ../../../telemetry/fleet.py --> GET /metrics

`app.py` composes the parts. docs/control-api.md describes the paths.
"""
