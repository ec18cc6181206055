"""What the analyzer of a pod and the controller agree on: the messages of `POST /v1/sync` and `POST /v1/signals`.

    analyzer/sync/  closed ticks --> counts.py: sparse bytes --> messages.SyncRequest --> control/manager/
    analyzer/sync/  acknowledgements, document, hash of the profile <-- messages.SyncResponse <-- control/manager/

Messages are MessagePack. Both sides may be one release apart: a reader ignores fields that it does not know, and every
field that was added later has a default.

Glossary

epoch            identifies one life of the analyzer's counts; a new one begins where a checkpoint was lost
sequence         the number of a report of one tick: counts of a higher sequence include those of a lower one
acknowledgement  the controller's promise that a tick's counts survive its own restart; the pod may then drop them
"""
