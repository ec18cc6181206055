"""`pilotfish doctor`: checks an installation in a cluster and the models beside it, and says what to do.

```
API server -> gather.py -> ClusterSnapshot -> checks/ (pure) -> findings.py -> page.py
              all I/O                   one function a check            table or JSON
```

    snapshot.py   what was read at one moment: objects by kind, rights, and the answer to a trial pod
    pods.py       facts about one pod: its workload, its sidecars, what the injector wrote
    findings.py   what a check found: level, place, sentence, remedy
    rights.py     the rights of controller and injector, from the manifests of this version
    trial.py      the pod that is created as a dry run
    checks/       the checks, in the order in which they are printed (`checks/__init__.py`)
"""
