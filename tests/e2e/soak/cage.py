"""A container without an engine: a mount namespace, a new root that contains little, a numeric user, few descriptors.

As a program, `cage.py JSON`: it builds the root, drops its rights and executes the command. It keeps its pid. The root
has no shell, no /tmp and no /dev/shm. Everything is read-only, except `/volume`, and what `disks` mounts.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

VOLUME = "/volume"
USER = 65532  # as the image
ROOT = Path(__file__).resolve().parents[3]
SYSTEM = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64", "/etc/ssl")
DEVICES = ("/dev/null", "/dev/urandom")


@dataclass
class Cage:
    """What the command finds: `volume` is the folder behind /volume; `disks` are bounded file systems, by path."""

    volume: str
    disks: dict[str, int] = field(default_factory=dict)  # bytes
    descriptors: int = 1024

    def prefix(self) -> tuple[str, ...]:
        """Return the words in front of a command that is to run in this cage; it needs root."""
        unshare = ("unshare", "--mount", "--propagation", "private", "--")
        return (*unshare, sys.executable, __file__, json.dumps(asdict(self)))


def mount(*arguments: str | Path) -> None:
    """Run mount(8)."""
    subprocess.run(["mount", *map(str, arguments)], check=True)


def bind(source: Path, root: Path, *, writable: bool = False, at: str = "") -> None:
    """Show the file or folder `source` under `root`, at the same path or `at`; a link is copied."""
    target = root / (at or str(source)).lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_symlink():
        target.symlink_to(source.readlink())
        return
    if source.is_dir():
        target.mkdir(exist_ok=True)
    else:
        target.touch()
    mount("--bind", source, target)
    if not writable and not source.is_char_device():
        mount("-o", "remount,bind,ro", target)


def build(cage: Cage, root: Path) -> None:
    """Make the new root on a file system in memory."""
    mount("-t", "tmpfs", "-o", "mode=755,size=1m", "cage", root)
    needed = {*map(Path, (*SYSTEM, *DEVICES)), ROOT, Path(sys.base_prefix)}
    for source in sorted(path for path in needed if path.exists()):
        bind(source, root)
    bind(Path("/proc"), root, writable=True)
    bind(Path(cage.volume), root, writable=True, at=VOLUME)
    for path, size in cage.disks.items():
        disk = root / path.lstrip("/")
        disk.mkdir(exist_ok=True)
        mount("-t", "tmpfs", "-o", f"mode=700,uid={USER},gid={USER},size={size}", "disk", disk)
    mount("-o", "remount,ro", root)


def main(description: str, *command: str) -> None:
    """Enter the cage and execute the command."""
    cage = Cage(**json.loads(description))
    root = Path(cage.volume).parent / "cage-root"
    root.mkdir(exist_ok=True)
    build(cage, root)
    os.chroot(root)
    os.chdir("/")
    resource.setrlimit(resource.RLIMIT_NOFILE, (cage.descriptors, cage.descriptors))
    os.setgroups([])
    os.setgid(USER)
    os.setuid(USER)
    environment = {"PATH": "/nonexistent", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    os.execve(command[0], command, environment)


if __name__ == "__main__":
    main(*sys.argv[1:])
