"""Reading: one object, or all objects of a kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .client import TIMEOUT, Kube
from .errors import ExpiredError
from .objects import Resource

PAGE = 500  # objects per request
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

Trim = Callable[[dict[str, Any]], dict[str, Any]]  # keeps the part of an object that its reader needs


async def get(
    kube: Kube, resource: Resource, name: str, namespace: str = "", *, subresource: str = "", timeout: float = TIMEOUT
) -> dict[str, Any]:
    """Return one object. Raises NotFoundError if there is none, and other KubeErrors."""
    found: dict[str, Any] = await kube.request("GET", resource.path(namespace, name, subresource), timeout=timeout)
    return found


async def list_all(
    kube: Kube,
    resource: Resource,
    namespace: str = "",
    *,
    label_selector: str = "",
    field_selector: str = "",
    trim: Trim | None = None,
) -> tuple[list[dict[str, Any]], str]:
    """Return the objects of a namespace, or of all namespaces, and the resourceVersion at which a watch continues.

    The list is read in pages of 500. If a page expires meanwhile, the whole list is read in one piece. `trim` is
    applied to each object before the next page is read, so that 10,000 pods fit into memory.
    """
    selectors = select(label_selector, field_selector)
    path = resource.path(namespace)
    items: list[dict[str, Any]] = []
    following = ""
    while True:
        page = [("limit", str(PAGE)), *([("continue", following)] if following else [])]
        try:
            found = await kube.request("GET", path, query=(*selectors, *page))
        except ExpiredError:
            found = await kube.request("GET", path, query=selectors)
            items = []
        page_items = found.get("items") or []
        items += map(trim, page_items) if trim else page_items
        metadata = found.get("metadata") or {}
        following = metadata.get("continue") or ""
        if not following:
            return items, str(metadata.get("resourceVersion", ""))


async def list_some(
    kube: Kube, resource: Resource, namespace: str, *, label_selector: str = "", field_selector: str = "", most: int
) -> list[dict[str, Any]]:
    """Return at most `most` objects of a namespace, in one request. Raises KubeError."""
    query = [*select(label_selector, field_selector), ("limit", str(most))]
    found = await kube.request("GET", resource.path(namespace), query=query)
    return list(found.get("items") or ())


async def list_metadata(
    kube: Kube, resource: Resource, namespace: str, *, label_selector: str = "", field_selector: str = "", most: int
) -> list[dict[str, Any]]:
    """Return at most `most` objects with their `metadata` only, in one request. Raises KubeError."""
    query = [*select(label_selector, field_selector), ("limit", str(most))]
    found = await kube.request("GET", resource.path(namespace), query=query, accept=METADATA_ONLY)
    return list(found.get("items") or ())


def select(label_selector: str, field_selector: str) -> list[tuple[str, str]]:
    """Return the query parameters of the selectors that are not empty."""
    found = [("labelSelector", label_selector), ("fieldSelector", field_selector)]
    return [(name, value) for name, value in found if value]
