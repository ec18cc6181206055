"""States in ConfigMaps of the controller's namespace: compressed, in several parts when large, by compare-and-swap.

The ConfigMap `pilotfish-KEY` is the head. It holds a small state itself, and else the names of its parts. The parts of
one write have names of their own, and are complete before the head refers to them. So a reader never sees a mixture,
and a writer that loses never damages the winner's state. A crash may leave parts that nothing refers to.

The head names the write that it is from. The HTTP client sends a request again if its connection was closed meanwhile,
so a writer may be refused because of its own write.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import json
import logging
import uuid
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ..kube.client import Kube
from ..kube.create import create
from ..kube.delete import delete
from ..kube.errors import AlreadyExistsError, ConflictError, KubeError, NotFoundError
from ..kube.objects import CONFIG_MAPS
from ..kube.read import get
from ..kube.replace import replace
from .errors import StoreConflictError, StoreError
from .store import Stored

_LOG = logging.getLogger("pilotfish.control")

PART_BYTES = 768 * 1024  # compressed; the API server accepts 1 MiB per ConfigMap
MAX_STATE_BYTES = 256 * 1024 * 1024  # after decompression
LOADS = 3  # of a head whose parts another process replaces meanwhile
WRITE = "pilotfish.dev/write"  # annotation of the head
COMPRESSION = 1  # of gzip; the ledger is written at each decision


class ConfigMapStore:
    """A StateStore. `labels` are set on each ConfigMap. The key `UID-NAME` is stored as `pilotfish-UID-NAME`."""

    def __init__(self, kube: Kube, namespace: str, labels: Mapping[str, str]) -> None:
        self._kube = kube
        self._namespace = namespace
        self._labels = dict(labels)
        self._parts: dict[str, tuple[str, Sequence[str]]] = {}  # by key: revision of the head, names of its parts

    async def load(self, key: str) -> Stored | None:
        """Return the state `key`, None if there is none; raise StoreError, also for a damaged one."""
        last = ""
        try:
            for _ in range(LOADS):
                head = await get(self._kube, CONFIG_MAPS, _name(key), self._namespace)
                revision, parts = str(head["metadata"]["resourceVersion"]), _parts_of(head)
                try:
                    packed = b"".join([await self._part(name) for name in parts]) if parts else _bytes_of(head)
                except NotFoundError:
                    if revision == last:
                        raise
                    last = revision  # another write has replaced the head and its parts
                    continue
                self._parts[key] = revision, parts
                return Stored(_unpack(packed, head), revision)
        except NotFoundError as error:
            if not last:
                return None
            raise StoreError(f"state {_name(key)}: a part is missing: {error}") from error
        except KubeError as error:
            raise StoreError(f"state {_name(key)}: {error}", retry_after=error.retry_after) from error
        except (LookupError, TypeError, ValueError, zlib.error) as error:
            remedy = "restore the ConfigMap, or delete it to start without this state"
            raise StoreError(f"state {_name(key)} is damaged: {error!r}; {remedy}") from error
        raise StoreError(f"state {_name(key)} is written too often to be read; try again")

    async def save(self, key: str, data: bytes, revision: str) -> str:
        """Write the state `key` and return its new revision; raise StoreConflictError or StoreError."""
        packed = gzip.compress(data, COMPRESSION, mtime=0)
        pieces = [packed[at : at + PART_BYTES] for at in range(0, len(packed), PART_BYTES)]
        parts: list[str] = []
        write = uuid.uuid4().hex[:12]
        try:
            if len(pieces) > 1:
                for index, piece in enumerate(pieces):
                    body = self._config_map(f"{_name(key)}-{write}-{index}", {"binaryData": _binary(piece)})
                    await create(self._kube, CONFIG_MAPS, body | {"immutable": True}, self._namespace)
                    parts.append(body["metadata"]["name"])
            content = {"data": {"parts": json.dumps(parts)}} if parts else {"binaryData": _binary(packed)}
            head = self._config_map(_name(key), content, sha256=hashlib.sha256(data).hexdigest(), write=write)
            found = await self._write(head, revision)
        except (AlreadyExistsError, ConflictError, NotFoundError) as error:
            own = await self._revision_of(key, write)
            if own is None:
                await self._delete_all(parts)
                raise StoreConflictError(f"state {_name(key)}: another process has written it: {error}") from error
            found = own
        except KubeError as error:
            raise StoreError(f"state {_name(key)}: {error}", retry_after=error.retry_after) from error
        before, old = self._parts.get(key, ("", ()))
        self._parts[key] = found, parts
        if before == revision:
            await self._delete_all(old)
        return found

    async def delete(self, key: str) -> None:
        """Delete the state `key`, if there is one."""
        try:
            head = await get(self._kube, CONFIG_MAPS, _name(key), self._namespace)
            await delete(self._kube, CONFIG_MAPS, _name(key), self._namespace)
        except NotFoundError:
            return
        except KubeError as error:
            raise StoreError(f"state {_name(key)}: {error}", retry_after=error.retry_after) from error
        self._parts.pop(key, None)
        with suppress(LookupError, TypeError, ValueError):
            await self._delete_all(_parts_of(head))

    async def _revision_of(self, key: str, write: str) -> str | None:
        """Return the revision of the head if it is from `write`, else None; raise StoreError if it cannot be read."""
        try:
            head = await get(self._kube, CONFIG_MAPS, _name(key), self._namespace)
        except NotFoundError:
            return None
        except KubeError as error:
            raise StoreError(f"state {_name(key)}: {error}", retry_after=error.retry_after) from error
        metadata = head["metadata"]
        own = (metadata.get("annotations") or {}).get(WRITE) == write
        return str(metadata["resourceVersion"]) if own else None

    async def _part(self, name: str) -> bytes:
        return _bytes_of(await get(self._kube, CONFIG_MAPS, name, self._namespace))

    async def _write(self, head: dict[str, Any], revision: str) -> str:
        if revision:
            head["metadata"]["resourceVersion"] = revision
            found = await replace(self._kube, CONFIG_MAPS, head)
        else:
            found = await create(self._kube, CONFIG_MAPS, head, self._namespace)
        return str(found["metadata"]["resourceVersion"])

    async def _delete_all(self, names: Sequence[str]) -> None:
        for name in names:
            try:
                await delete(self._kube, CONFIG_MAPS, name, self._namespace)
            except NotFoundError:
                continue
            except KubeError as error:  # nothing refers to it any more: it only takes up room
                _LOG.warning("a part of an old state was not removed; delete the ConfigMap %s: %s", name, error)

    def _config_map(self, name: str, content: Mapping[str, object], **annotations: str) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": name,
                "namespace": self._namespace,
                "labels": self._labels,
                "annotations": {f"pilotfish.dev/{key}": value for key, value in annotations.items()},
            },
            **content,
        }


def _name(key: str) -> str:
    return f"pilotfish-{key}"


def _binary(piece: bytes) -> dict[str, str]:
    return {"state": base64.b64encode(piece).decode()}


def _bytes_of(config_map: Mapping[str, Any]) -> bytes:
    try:
        return base64.b64decode(config_map["binaryData"]["state"], validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def _parts_of(head: Mapping[str, Any]) -> Sequence[str]:
    parts = json.loads((head.get("data") or {}).get("parts", "[]"))
    if not isinstance(parts, list) or not all(isinstance(name, str) for name in parts):
        raise TypeError("the names of its parts are no list of names")
    return parts


def _unpack(packed: bytes, head: Mapping[str, Any]) -> bytes:
    unpacker = zlib.decompressobj(31)  # gzip
    data = unpacker.decompress(packed, MAX_STATE_BYTES)
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError("it is cut off, or too large")
    expected = head["metadata"]["annotations"]["pilotfish.dev/sha256"]
    if hashlib.sha256(data).hexdigest() != expected:
        raise ValueError("its checksum differs")
    return data
