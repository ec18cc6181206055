"""The fleet: the counts of all pods of a version become the counts of one model, and one detector runs on them.

    reports of a pod --> detector.py --> fold.py: (pod, epoch, tick) --> maximum, then the sum over pods and epochs
    expected pods --> roster.py: which pods served a tick, and what each one has sent
    both, rules.py --> watermark.py: which tick may close, and why another one waits
    closed tick --> DriftMonitor --> results, status.py
    state --> checkpoint.py: bytes, from which another leader continues to the bit
    stored state --> acknowledgements.py: what a pod may forget

All modules are pure: time is an argument. docs/fleet.md describes the rules for users.
"""
