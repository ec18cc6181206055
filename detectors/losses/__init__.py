"""Losses of labelled rows: what a task is, and the loss of a prediction beside its label."""
