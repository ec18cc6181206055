"""The kind `retrain`: requests a retraining once per cause, by a signed webhook.

    open episode --> Intent of nature ONCE; its desired value is the event to deliver         policy.py  event.py
    `webhook` delivers it

docs/retraining.md describes the request and how a receiver verifies it. More terms: docs/glossary.md
"""
