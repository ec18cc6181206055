"""Mergeable statistics: `merge(f(a), f(b)) == f(a + b)`, to the bit; heavy hitters, for people, within a bound.

Counts        the integers of one tick, and how they add up: what leaves the pod
HeavyHitters  the commonest of the values that the reference has not
TickCounts    rows come in, integers come out: what a pod does
"""
