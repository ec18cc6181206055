"""A heuristic: models that look at the address of their peer, which is 127.0.0.1 behind the proxy."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...inject.template import ANALYZER, PROXY, REDIRECT
from ..findings import ClusterFinding, Level
from ..pods import PodWorkloads, by_owner
from ..snapshot import ClusterSnapshot, Json
from .pods import injected_pods

# Options and variables of servers and frameworks that trust or limit peers by their address.
_WORDS = re.compile(
    r"(forwarded[_-]allow[_-]ips|proxy[_-]headers|proxy[_-]allow[_-]from|trusted[_-](hosts?|prox(y|ies)|ips?)"
    r"|(allowed|denied|blocked)[_-]ips?|ip[_-](allow|deny|white|black)[_-]?list|real[_-]ip|x[_-]forwarded"
    r"|limit[_-]concurrency[_-]per[_-]ip|rate[_-]limit)",
    re.IGNORECASE,
)


def check_peers(snapshot: ClusterSnapshot) -> Iterator[ClusterFinding]:
    """Find containers whose options or variables suggest that they look at the address of their peer."""
    for owner, pods in by_owner(injected_pods(snapshot), PodWorkloads(snapshot)).items():
        for container in (pods[0].get("spec") or {}).get("containers") or ():
            name = str(container.get("name"))
            found = sorted(set(_options(container))) if name not in {PROXY, ANALYZER, REDIRECT} else []
            if found:
                what = (
                    f"container {name} may look at the address of its peer ({', '.join(found)}); behind the proxy this "
                    "is 127.0.0.1. This is a guess from the names of options"
                )
                remedy = "let it trust 127.0.0.1, or decide by a header such as X-Forwarded-For, which is passed on"
                yield ClusterFinding(check="peers", level=Level.HINT, where=str(owner), what=what, remedy=remedy)


def _options(container: Json) -> Iterator[str]:
    """Yield the names of suspicious options and variables, never their values."""
    for word in (*(container.get("command") or ()), *(container.get("args") or ())):
        option = str(word).partition("=")[0]
        if option.startswith("-") and _WORDS.search(option):
            yield option[:60]
    for variable in container.get("env") or ():
        if _WORDS.search(str(variable.get("name"))):
            yield str(variable["name"])[:60]
