"""The only door to the Kubernetes API server; nothing else in Pilotfish talks to it.

    configuration.py   address and credentials, read by the official client
    client.py          Kube, a connection: one JSON request, the lines of a watch, the guard of writes
    objects.py         Resource: the path of a kind of object
    errors.py          errors by HTTP status, each retryable or not
    read.py  create.py  replace.py  patch.py  delete.py  watch.py     one file per verb
    mirror.py          Store: the objects of a kind, kept current by a watch, with the age of the last contact
    election.py        who leads, decided from what was read of a Lease; pure
    lease.py           Elector: competes for a Lease, and refuses writes of a process that does not lead
    events.py          EventRecorder: Events, deduplicated and bounded

Objects are JSON as the API server sends it. The official client is imported when a connection is made, since its import
costs 0.35 s and 54 MB.
"""
