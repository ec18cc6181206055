"""Mergeable statistics: `merge(f(a), f(b)) == f(a + b)`, to the bit.

TickCounts   rows come in, integers come out: what a pod does
Counts       the integers of one tick, and how they add up: what leaves the pod
"""
