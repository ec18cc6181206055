"""The rights of both accounts, as rows of the table in docs/chart.md, from the rendering with default values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

MANIFESTS = Path(__file__).resolve().parents[2] / "sidecar/inject/data/manifests.yaml"


def rights() -> list[tuple[str, str, str, str]]:
    """Return account, place, resources and verbs of each rule."""
    objects = [item for item in yaml.safe_load_all(MANIFESTS.read_text()) if item]
    accounts = {item["metadata"]["name"] for item in objects if item["kind"] == "ServiceAccount"}
    roles = [
        item for item in objects if item["kind"] in {"ClusterRole", "Role"} and item["metadata"]["name"] in accounts
    ]
    return [
        (f"`{role['metadata']['name']}`", _place(role), _resources(rule), ", ".join(rule["verbs"]))
        for role in sorted(roles, key=lambda item: (item["metadata"]["name"], item["kind"]))
        for rule in role["rules"]
    ]


def _place(role: dict[str, Any]) -> str:
    return "cluster" if role["kind"] == "ClusterRole" else "its namespace"


def _resources(rule: dict[str, Any]) -> str:
    names = (name.partition("/") for _ in rule["apiGroups"] for name in rule["resources"])
    groups = (f".{group}" if group else "" for group in rule["apiGroups"] for _ in rule["resources"])
    found = (f"`{name}{group}{slash}{part}`" for (name, slash, part), group in zip(names, groups, strict=True))
    return ", ".join(found) + "".join(f" named `{name}`" for name in rule.get("resourceNames", ()))
