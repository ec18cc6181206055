"""The object that `spec.targetRef` names, for the kinds of intent that change it: `scale/` and `resize/`.

    kinds.py            where an object has its replicas and its pods, and whether it is being rolled out
    managed_fields.py   who wrote a field, and the name under which the controller writes
    appliers.py         clients that apply a manifest with a field in it
    field_owner.py      another owner of a field, with a reason and a remedy
    hold.py             why a target stays as it is

Pure.
"""
