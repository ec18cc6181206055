"""Scaling beside the algorithm of the HorizontalPodAutoscaler: `make bench-control`.

traces.py       the load, frozen before any tuning, in a half for tuning and a held-out half
contenders.py   the two algorithms with one parameter, the target, and what one of them does with one trace
runner.py       all of that in processes; results are kept in build/scaling
choice.py       the target of each algorithm, from the tuning half only
table.py        tables and pictures for docs/scaling-measured.md
"""
