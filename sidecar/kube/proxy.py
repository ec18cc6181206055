"""Reading the metrics of a pod or of a Service through the API server, which connects to it for the caller.

The caller needs `get` on `pods/proxy` or `services/proxy`, and no route to the pod. The API server does not verify the
certificate of the pod.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .client import Kube
from .errors import UnavailableError
from .objects import PODS, SERVICES, Resource

MAX_BYTES = 64 * 1024 * 1024  # of one response


async def read_lines(
    kube: Kube,
    kind: Resource,
    namespace: str,
    target: str,
    path: str,
    *,
    keep: Callable[[bytes], bool],
    timeout: float,
) -> list[bytes]:
    """Return the lines that `keep` accepts of the response at `path` of a pod or Service. Raises KubeError.

    `target` is `NAME:PORT`, or `https:NAME:PORT` for TLS. Rejected lines take no memory.
    """
    if kind not in (PODS, SERVICES):
        raise ValueError(f"the API server does not proxy {kind.plural}")
    whole = f"{kind.path(namespace, target, 'proxy')}/{path.removeprefix('/')}"
    found: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(timeout), kube.stream(whole, idle=timeout, verb="proxy") as lines:
            async for line in lines:
                size += len(line)
                if size > MAX_BYTES:
                    raise UnavailableError(f"proxy {whole} failed: the response is larger than {MAX_BYTES >> 20} MiB")
                if keep(line):
                    found.append(line)
    except TimeoutError as error:
        raise UnavailableError(f"proxy {whole} failed: no complete response within {timeout:g} s") from error
    return found
