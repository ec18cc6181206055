"""Scaling against the algorithm of the HorizontalPodAutoscaler: `make bench-control`.

traces.py    the load, frozen before any tuning, in a half for tuning and a held-out half
"""
