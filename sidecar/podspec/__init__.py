"""Arithmetic of the resources in pod specs: quantities, QoS classes, and changed requests and limits. Pure.

```
pod, recommended requests, ResizeRules, ResizeSurroundings -> adjusted() -> Adjusted (resources, notes)

adjusted(): obstacles -> bounds -> fit, for CPU and for memory -> check as the API server would -> result
```

Glossary
    target        the recommended request
    ratio         limit divided by request, which a resize keeps
    group         containers of a pod that run at the same time
    level         requests and limits of the pod itself (pod-level resources)
    taken         what the quotas of a namespace have counted of a pod
    note          why a resource did not become what was recommended

    quantity.py     "250m" to a number and back        amounts.py   resources of containers and pods, QoS class
    adjust.py       composition and final check        rules.py     the bounds, one function a rule
    bounds.py       fitting between bounds             notes.py     reasons
    limit_ranges.py LimitRanges                        quotas.py    ResourceQuotas and their scopes
    running.py      what cannot be resized at all
"""
