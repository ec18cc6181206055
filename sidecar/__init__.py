"""Pilotfish's sidecar: the processes that swim beside a model server.

Each role is one command of `pilotfish` (see `cli.py`) and one package here; `detectors` beside this package is the pure
statistics that they share.
"""
