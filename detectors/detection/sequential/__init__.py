"""Stateful detectors, fed with the increments of closed ticks; never merged.

ShiryaevRoberts   evidence and onset for each function of each feature of a family
closing           the same recursion turned round: when a drifted feature is back within its bound
"""
