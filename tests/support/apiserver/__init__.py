"""A small Kubernetes API server in the process of a test: real sockets, objects in memory, faults on demand.

    request --> server.py: path, token, faults --> storage.py: objects, revisions, history --> response or watch
                faults.py  tokens.py  patches.py  scales.py  selectors.py  storage.py

It stores objects of any kind. `tests/kube` runs the same tests against it and against a real control plane, so that
both behave alike where Pilotfish depends on it.
"""
