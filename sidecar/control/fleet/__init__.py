"""The fleet: the counts of all pods of a model become the counts of one model, and one detector runs on them.

    SyncRequest --> fold.py: (pod, epoch, tick) --> elementwise maximum, then the sum over pods
    fold.py, pods expected --> watermark.py: which ticks may close, and why others wait
    closed ticks --> detector.py: one DriftMonitor per (monitor, version, profile) --> results, status
    detector.py --> checkpoint.py: bytes, from which another leader continues to the bit

All modules are pure: time is an argument.
"""
