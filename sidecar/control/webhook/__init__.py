"""Delivers events by webhook: one attempt to send one event to one receiver, for every kind that sends events.

    Intent         --> signed POST --> DeliveryResult       sender.py  signature.py  files.py  resolver.py  bounded.py
    DeliveryResult --> Outcome: done, retry at, failed. Only this module handles HTTP status          delivery.py
    cloudevent.py makes the envelope of an event; addresses.py says what the controller may connect to

docs/retraining.md describes the request and how a receiver verifies it. More terms: docs/glossary.md
"""
