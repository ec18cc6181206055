"""Injection: a pod of a model gets a proxy and an analyzer as native sidecars when it is admitted.

```
pod, Context, SidecarTemplate -> inject() -> Injection (JSON patch, mode, reason)      pure
AdmissionReview -> server -> inject() -> response; Events; metrics                     pilotfish injector
file -> inject() -> patched file                                                       pilotfish inject -f

inject(): selection -> model -> modes (port, move, redirect) -> sidecars, resources -> patch
```

Glossary
    interception  how requests reach the proxy: one of the modes
    target        a Service or InferencePool that leads clients to a port, by name or by number
    forwarder     a container of the pod that sends requests on to the model server by number
    relocation    how the model server is told another port
    pair          the proxy's own port and that of the model server
    template      the containers of a release, `sidecar.yaml`

    injection.py   composition of the patch            context.py    what the cluster says about the pod
    selection.py   labels, monitors, Jobs              pod.py        reading a pod
    model.py       container and ports of the model    companions.py forwarders and other containers
    modes.py       the three modes, and auto           plan.py       what a mode returns; free ports, probes
    moving.py      mode move                           servers.py    the table of known model servers
    arguments.py   finding ports in words              editing.py    changing words and variables
    meshes.py      Istio, Kuma, Linkerd                resources.py  requests, limits, classes
    sidecars.py    completing the containers           names.py      labels and annotations
    template.py    reading sidecar.yaml                operations.py JSON patch
    reasons.py     all reasons, with remedies
"""
