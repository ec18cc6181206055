"""The only door to the Kubernetes API server; nothing else in Pilotfish talks to it.

    client.py     Kube: configuration, authentication and transport of the official client; one JSON request
    objects.py    Resource: the path of a kind of object
    errors.py     errors by HTTP status, each retryable or not
    read.py  create.py  replace.py  patch.py  delete.py  watch.py     one file per verb
    lease.py      the election of one leader by a Lease
    events.py     Events, deduplicated

The official client is imported when a connection is made, since its import costs 0.35 s and 54 MB.
"""
