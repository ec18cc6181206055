"""The template of the sidecars: `sidecar.yaml`, which the chart renders.

It holds whole containers. `inject` adds only what depends on the pod: the pairs of `--listen` and `--upstream`, the
ports of the proxy, limits, a user where the pod demands root, and the rules of the redirect container.

```yaml
release: 0.1.0                          # of the chart; the value of the label pilotfish.dev/release
proxy: {name: pilotfish-proxy, ...}     # complete containers of the Kubernetes API
analyzer: {name: pilotfish-analyzer, ...}
redirect: {name: pilotfish-redirect, ...}
guaranteedCpu: {proxy: 500m, analyzer: 250m, redirect: 250m} # optional
volumes: [...]
imagePullSecrets: [{name: registry}]
control: https://pilotfish-control.pilotfish-system.svc:8443
```

`guaranteedCpu` is the CPU limit and request of a container in a pod of class Guaranteed. Where a quota or LimitRange
demands a CPU limit, it is this limit too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import PilotfishError, quote_value
from ..settings.units import read_quantity

Container = Mapping[str, Any]

PROXY = "pilotfish-proxy"
ANALYZER = "pilotfish-analyzer"
REDIRECT = "pilotfish-redirect"
_GUARANTEED_CPU = {PROXY: "500m", ANALYZER: "250m", REDIRECT: "250m"}


class TemplateError(PilotfishError):
    """The template of the sidecars cannot be used."""


@dataclass(frozen=True)
class SidecarTemplate:
    """The containers and volumes of a release. `guaranteed_cpu` has the CPU limit of each container by name."""

    release: str
    proxy: Container
    analyzer: Container
    redirect: Container
    volumes: tuple[Mapping[str, Any], ...]
    guaranteed_cpu: Mapping[str, str]
    image_pull_secrets: tuple[str, ...] = ()
    control: str = ""


def parse_template(tree: object) -> SidecarTemplate:
    """Return the template in `tree`, the content of `sidecar.yaml`. Raises TemplateError."""
    if not isinstance(tree, Mapping):
        raise _error("it", tree, "must be an object")
    return SidecarTemplate(
        release=_text(tree, "release"),
        proxy=_container(tree, "proxy", PROXY),
        analyzer=_container(tree, "analyzer", ANALYZER),
        redirect=_container(tree, "redirect", REDIRECT),
        volumes=tuple(_objects(tree, "volumes")),
        guaranteed_cpu=_guaranteed_cpu(tree),
        image_pull_secrets=tuple(str(item["name"]) for item in _objects(tree, "imagePullSecrets")),
        control=_text(tree, "control"),
    )


def _container(tree: Mapping[str, Any], key: str, name: str) -> Container:
    container = tree.get(key)
    if not isinstance(container, Mapping) or container.get("name") != name:
        raise _error(key, container, f"must be a container with the name {name}")
    return container


def _guaranteed_cpu(tree: Mapping[str, Any]) -> dict[str, str]:
    given = tree.get("guaranteedCpu") or {}
    if not isinstance(given, Mapping) or any(read_quantity(value) is None for value in given.values()):
        raise _error("guaranteedCpu", given, "must have quantities such as 500m")
    return {name: str(given.get(name.removeprefix("pilotfish-"), value)) for name, value in _GUARANTEED_CPU.items()}


def _objects(tree: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    items = tree.get(key) or []
    if not isinstance(items, list) or not all(isinstance(item, Mapping) and item.get("name") for item in items):
        raise _error(key, items, "must be a list of objects with names")
    return items


def _text(tree: Mapping[str, Any], key: str) -> str:
    value = tree.get(key)
    if not isinstance(value, str) or not value:
        raise _error(key, value, "must be a text")
    return value


def _error(key: str, value: object, wanted: str) -> TemplateError:
    return TemplateError(
        f"cannot use the template of the sidecars: {key} is {quote_value(value)}; it {wanted}; render the chart again"
    )
