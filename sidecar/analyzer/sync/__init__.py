"""The pod's side of the sync with the controller: closed ticks go up; document, profile and learning come down.

    closed tick --> unacknowledged.py: a component, so the checkpoint has it --> Snapshot.sync
    Snapshot.sync --> requests.py: SyncRequests --> loop.py --> transport.py --> POST /v1/sync
    SyncResponse --> loop.py: acknowledged ticks --> worker command --> unacknowledged.py
                 --> follower.py: the document's file, the profile by its hash, the start of learning
    counter page --> signals.py --> POST /v1/signals --> labels.py: labels to look up or to count
    labels.py --> worker command --> POST /v1/labels --> more labels

Only counts that a checkpoint contains are sent. Otherwise a restart from an older checkpoint would count rows again
that the controller already has. Everything that is counted for one ModelMonitor is in a folder of its own
(`followed.py`), so that counts of two monitors never mix.

`document.py`, `follower.py`, `labels.py`, `loop.py`, `signals.py` and `transport.py` do I/O; `followed.py` reads the
stored document; all other modules are pure.

Glossary

unacknowledged tick  a closed tick that the controller may not have; it is sent again with each request
epoch                one life of the counts of this pod; counts of two epochs of a tick add up
follow               do what a response asks for
generation           the number of a version of the document, counted by the API server

The messages: ../../sync/. More terms: docs/glossary.md
"""
