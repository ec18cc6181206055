"""A real Kubernetes node for the tests of `make test-cluster`: pods run, Services route, names resolve.

    machine.py   a machine in namespaces of its own: network, processes, mounts; it ends with the test run
    programs.py  what `.ci/kubernetes node` built, and why a test is skipped without it
    node.py      the programs of a whole cluster on that machine, in order, and the fixture `node`
    images.py    images without a registry: a local Debian as base, and Dockerfiles built by buildah
    pods.py      pods from outside: their processes on this machine, their readiness over time

`python -m tests.support.node` starts a node to try things on, prints its kubeconfig, and ends it with Ctrl-C.
"""
