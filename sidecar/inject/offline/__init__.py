"""Injection without a webhook: `pilotfish inject -f FILE` and `pilotfish manifests`.

```
bytes -> documents.py -> workloads.py -> inject() -> edit.py -> text
         YAML or JSON    pod templates   pure        changed lines only
```

    scalars.py     plain scalars of YAML, as kubectl reads them
    documents.py   the documents of a file, each with its text, its node tree and its value
    edit.py        a document's text with another value: only what differs is written anew
    workloads.py   the pod templates of each kind of workload
    context.py     what surrounds a workload, from the documents and from a cluster
    app.py         the command `pilotfish inject`
    manifests.py   the command `pilotfish manifests`
"""
