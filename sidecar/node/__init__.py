"""The role `pilotfish node`: answers the analyzers of the pods on its node with the figures of their own pod.

    analyzer --(TLS, token of its pod)--> views.py --> ../callers/ (TokenReview: the pod of the token)
                                              |
      GPUs     ../resources/gpu/ --samples--> pod_counters.py --> sums of each pod that asks
               processes.py      process --> pod, by its cgroup (cgroup_paths.py)
               kubelet.py        pod-resources: pod --> devices (messages.py, allocations.py; slices.py for DRA)
      CPU ...  cgroup_tree.py    pod --> containers and their cgroups; containers.py reads them
                                              |
    response <-- ../resources/pod/figures.py <-- figures.py

A pod gets the figures of the pod in its token only. A figure that cannot be read is absent, and a sentence says why.
`app.py` composes the parts. The package needs the extras `cluster` and `node`.
"""
