"""Scaling of the replicas of a target."""
