"""Decides what a push changes in a Grafana, and applies it through a `GrafanaServer`, one dashboard after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .files import DashboardFile

Json = dict[str, Any]
OWN_KEYS = ("id", "version")  # set by each Grafana; they do not make a dashboard different


@dataclass(frozen=True, slots=True)
class StoredDashboard:
    """A dashboard of a Grafana: JSON, uid of its folder (empty at the top), and whether a file provides it."""

    content: Json
    folder: str
    provisioned: bool


class GrafanaServer(Protocol):
    """What a push needs from a Grafana."""

    def folder(self, title: str) -> str | None:
        """Return the uid of the folder with this title; None without one."""
        ...

    def create_folder(self, title: str) -> str:
        """Create the folder and return its uid."""
        ...

    def read(self, uid: str) -> StoredDashboard | None:
        """Return the stored dashboard; None without one."""
        ...

    def write(self, content: Json, folder: str) -> str:
        """Store the dashboard in the folder, replace the one with its uid, and return its path."""
        ...


@dataclass(frozen=True, slots=True)
class PushStep:
    """One line of progress: what is done (or would be done) to what; `detail` says why or where."""

    verb: str
    what: str
    detail: str = ""


def push(server: GrafanaServer, files: Sequence[DashboardFile], folder: str, *, dry_run: bool) -> Iterator[PushStep]:
    """Yield each step when it is done; with `dry_run`, change nothing.

    An empty `folder` is the top level of the Grafana. A dashboard that is equal already is not written again, so that
    a repeated push adds no versions to its history.
    """
    uid = server.folder(folder) if folder else ""
    if uid is None:
        uid = "" if dry_run else server.create_folder(folder)
        yield PushStep("create", "folder", folder)
        fresh = dry_run  # its uid is not known yet
    else:
        fresh = False
    for file in files:
        stored = server.read(file.content["uid"])
        verb, why = decide(file.content, stored, None if fresh else uid)
        if verb in ("create", "replace") and not dry_run:
            why = server.write({**file.content, "id": None}, uid)
        yield PushStep(verb, file.content["uid"], why)


def decide(wanted: Json, stored: StoredDashboard | None, folder: str | None) -> tuple[str, str]:
    """Return the verb and the reason: create, replace, keep, or skip a dashboard that a file provides.

    `folder` is the wanted folder's uid; None for one that does not exist yet.
    """
    if stored is None:
        return "create", "it does not exist"
    if stored.provisioned:
        return "skip", "a provisioning file provides it, and Grafana lets nobody else change it"
    if stored.folder != folder:
        return "replace", "it is in another folder"
    if _without_own(stored.content) != _without_own(wanted):
        return "replace", "it differs"
    return "keep", "it is equal"


def _without_own(content: Json) -> Json:
    return {key: value for key, value in content.items() if key not in OWN_KEYS}
