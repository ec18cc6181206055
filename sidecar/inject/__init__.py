"""Injection: a pod of a model gets a proxy and an analyzer as native sidecars when it is admitted.

```
pod, Context, SidecarTemplate -> inject() -> Injection (JSON patch, mode, reason)      pure
AdmissionReview -> server -> inject() -> response; Events; metrics                     pilotfish injector
file -> inject() -> patched file                                                       pilotfish inject -f
```
"""
