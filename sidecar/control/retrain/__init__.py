"""Retraining: asked for once per cause, by a signed webhook.

    open episode --> Intent, ONCE, whose desired state is that the receiver has this event      policy.py  event.py
    Intent       --> signed POST --> Answer                                                     webhook.py  signature.py
    Answer       --> Outcome: done, retry at, failed. HTTP status handling stands only here     delivery.py

What arrives and how a receiver checks it is described in docs/retraining.md.
"""
