"""Reads the cgroup of a process: version 1, version 2, or both (hybrid).

`/proc/PID/cgroup` has the path of the cgroup in each hierarchy, and `/proc/self/mountinfo` where a hierarchy is mounted
and which part of it. In a container with a cgroup namespace, paths begin at the cgroup of the container. Without one,
they begin at the root of the machine, and the mount shows a part. A path outside of the mounted part cannot be read.

Source: Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst, Documentation/accounting/psi.rst of Linux.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from .kernel_files import kernel_text

MOST_GROUPS = 1000  # cgroups below one whose processes are listed
UNLIMITED = 1 << 60  # bytes; version 1 writes almost 2**63 for no limit
CONTROLLERS = ("cpu", "cpuacct", "memory")  # those of version 1 that are read
PRESSURES = ("cpu", "io", "memory")
_ESCAPE = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class CgroupMount:
    """A mounted hierarchy. `controllers` is empty for version 2; `root` is the cgroup that the mount shows."""

    version: int
    controllers: frozenset[str]
    root: PurePosixPath
    point: Path


@dataclass(frozen=True, slots=True)
class Cgroup:
    """The folders of one process's cgroup: `v2`, and those of version 1 by controller. Absent ones cannot be read.

    `tops` has the mount point of each folder: limits of all folders up to it apply.
    """

    v2: Path | None
    v1: Mapping[str, Path]
    tops: Mapping[Path, Path]

    @property
    def source(self) -> str:
        """The folder that has the CPU time; empty without one."""
        return str(self.v1.get("cpuacct") or self.v2 or "")


@dataclass(frozen=True, slots=True)
class CgroupReading:
    """The values of a cgroup; None for those that no mounted controller has. Times in ns, memory in bytes."""

    version: int
    cpu_ns: int | None
    throttled_ns: int | None
    pressure_ns: Mapping[str, int]
    memory: int | None
    memory_limit: int | None
    oom_kills: int | None


def parse_memberships(text: str) -> list[tuple[frozenset[str], PurePosixPath]]:
    """Return controllers and path for each line of `/proc/PID/cgroup`; no controllers for version 2.

    Lines that are not understood are left out.
    """
    found = []
    for line in text.splitlines():
        number, first, rest = line.partition(":")
        controllers, second, path = rest.partition(":")
        if number.isdecimal() and first and second and path.startswith("/"):
            found.append((frozenset(filter(None, controllers.split(","))), PurePosixPath(path)))
    return found


def parse_mounts(text: str) -> list[CgroupMount]:
    """Return the hierarchies in `/proc/self/mountinfo`. Lines of other file systems are left out."""
    found = []
    for line in text.splitlines():
        before, separator, after = line.partition(" - ")
        fields, kinds = before.split(" "), after.split(" ")
        if not separator or len(fields) < 6 or len(kinds) < 3 or kinds[0] not in ("cgroup", "cgroup2"):
            continue
        root, point = (_unescape(field) for field in fields[3:5])
        if not (root.startswith("/") and point.startswith("/")) or "\0" in point:
            continue
        version = 2 if kinds[0] == "cgroup2" else 1
        controllers = frozenset(kinds[2].split(",")) if version == 1 else frozenset[str]()
        found.append(CgroupMount(version, controllers, PurePosixPath(root), Path(point)))
    return found


def locate(memberships: list[tuple[frozenset[str], PurePosixPath]], mounts: list[CgroupMount]) -> Cgroup:
    """Return the folders of a cgroup that this process can see."""
    v2: Path | None = None
    v1: dict[str, Path] = {}
    tops: dict[Path, Path] = {}
    for controllers, path in memberships:
        for mount in mounts:
            shared = mount.controllers & controllers
            if bool(shared) != bool(controllers) or (mount.version == 2) != (not controllers):
                continue
            folder = _inside(path, mount)
            if folder is None:
                continue
            tops[folder] = mount.point
            if mount.version == 2:
                v2 = v2 or folder
            for controller in shared:
                v1.setdefault(controller, folder)
    return Cgroup(v2, v1, tops)


def read_cgroup(group: Cgroup) -> CgroupReading | None:
    """Return the values of a cgroup; None if the CPU time cannot be read. Controllers of version 1 win in a hybrid."""
    usage = _number(group.v1["cpuacct"] / "cpuacct.usage") if "cpuacct" in group.v1 else None
    version, stat = 1, {}
    if usage is not None:
        stat = _table(group.v1["cpu"] / "cpu.stat") if "cpu" in group.v1 else {}
        throttled = stat.get("throttled_time")
    elif group.v2 is not None:
        version, stat = 2, _table(group.v2 / "cpu.stat")
        usage, throttled = _times(stat.get("usage_usec"), 1000), _times(stat.get("throttled_usec"), 1000)
    if usage is None:
        return None
    memory, limit, oom_kills = _memory_v1(group) if "memory" in group.v1 else _memory_v2(group)
    return CgroupReading(version, usage, throttled, _pressures(group.v2), memory, limit, oom_kills)


def exclusive(group: Cgroup, allowed: Collection[int]) -> Cgroup:
    """Return the folders of a cgroup that have no process outside of `allowed`: only their values are those of a model.

    On a laptop, a model server shares the cgroup of its terminal with other programs.
    """
    wanted = {group.v2, *(group.v1[name] for name in CONTROLLERS if name in group.v1)}
    own = {folder for folder in wanted if folder is not None and _has_only(folder, set(allowed))}
    v1 = {controller: folder for controller, folder in group.v1.items() if folder in own}
    return Cgroup(group.v2 if group.v2 in own else None, v1, group.tops)


def _has_only(folder: Path, allowed: Collection[int]) -> bool:
    """Return whether a cgroup and those below have no other process; False if they cannot be listed, or are too many.

    It ends with the first other process: below the root, there are hundreds of cgroups.
    """
    try:
        for count, each in enumerate(_folders(folder)):
            if count == MOST_GROUPS:
                return False
            if any(int(word) not in allowed for word in kernel_text(each / "cgroup.procs").split() if word.isdecimal()):
                return False
    except OSError:
        return False
    return True


def _folders(folder: Path) -> Iterator[Path]:
    yield folder
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            yield from _folders(entry)


def _inside(path: PurePosixPath, mount: CgroupMount) -> Path | None:
    """Return the folder of the cgroup `path`; None if the mount does not show it."""
    if ".." in path.parts:  # outside of the cgroup namespace of this process
        return None
    try:
        return mount.point / path.relative_to(mount.root)
    except ValueError:
        return None


def _memory_v1(group: Cgroup) -> tuple[int | None, int | None, int | None]:
    folder = group.v1["memory"]
    used = _number(folder / "memory.usage_in_bytes")
    stat = _table(folder / "memory.stat")
    limit = stat.get("hierarchical_memory_limit", _number(folder / "memory.limit_in_bytes"))
    limit = limit if limit is not None and limit < UNLIMITED else None
    return (
        _working_set(used, stat.get("total_inactive_file")),
        limit,
        _table(folder / "memory.oom_control").get("oom_kill"),
    )


def _memory_v2(group: Cgroup) -> tuple[int | None, int | None, int | None]:
    folder = group.v2
    if folder is None:
        return None, None, None
    used, stat = _number(folder / "memory.current"), _table(folder / "memory.stat")
    limits, top = list[int](), group.tops.get(folder, folder)
    for above in (folder, *folder.parents):
        found = _number(above / "memory.max")
        if found is not None:
            limits.append(found)
        if above == top:
            break
    return (
        _working_set(used, stat.get("inactive_file")),
        min(limits, default=None),
        _table(folder / "memory.events").get("oom_kill"),
    )


def _working_set(used: int | None, inactive: int | None) -> int | None:
    """Return the memory without page cache that the kernel can drop, as the kubelet counts it."""
    return None if used is None else max(0, used - (inactive or 0))


def _pressures(folder: Path | None) -> dict[str, int]:
    found: dict[str, int] = {}
    if folder is None:
        return found
    for resource in PRESSURES:
        with suppress(OSError):
            total = parse_pressure(kernel_text(folder / f"{resource}.pressure"))
            if total is not None:
                found[resource] = total
    return found


def parse_pressure(text: str) -> int | None:
    """Return the total of the line `some` of a PSI file in ns; None without it."""
    for line in text.splitlines():
        kind, *pairs = line.split() or [""]
        if kind == "some":
            values = dict(pair.partition("=")[::2] for pair in pairs)
            return _times(_whole(values.get("total", "")), 1000)
    return None


def parse_table(text: str) -> dict[str, int]:
    """Return the numbers of a flat-keyed file by key, such as `cpu.stat`. Other lines are left out."""
    found = {}
    for line in text.splitlines():
        key, _, rest = line.partition(" ")
        number = _whole(rest)
        if number is not None:
            found[key] = number
    return found


def _table(path: Path) -> dict[str, int]:
    try:
        return parse_table(kernel_text(path))
    except OSError:
        return {}


def _number(path: Path) -> int | None:
    """Return the number in a file; None if the file is missing or has another content, such as `max`."""
    try:
        return _whole(kernel_text(path).strip())
    except OSError:
        return None


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 20 else None


def _times(value: int | None, factor: int) -> int | None:
    return None if value is None else value * factor


def _unescape(text: str) -> str:
    r"""Return a field of mountinfo with its octal escapes, such as \040 for a space, replaced."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), text)
