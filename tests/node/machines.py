"""A node in a folder: its cgroups and its /proc, as Linux, a kubelet and a container runtime write them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

UID = "6f0c1a52-3f8e-4d0b-9d3e-0b6c2f1a7e55"
OTHER = "9a2b7c31-0d4e-4b8f-8a6d-3c5e1f2d4b66"
SANDBOX = "0" * 64
NET_DEV = "h\nh\n lo: 9 0 0 0 0 0 0 0 9 0 0 0 0 0 0 0\neth0: {received} 0 0 0 0 0 0 0 {sent} 0 0 0 0 0 0 0\n"


def container_id(number: int) -> str:
    """Return the runtime's id of a container."""
    return f"{number:064x}"


@dataclass
class FakeNode:
    """The folders of a node. `version` of its cgroups; `systemd` is the driver of the kubelet."""

    folder: Path
    version: int = 2
    systemd: bool = True
    written: dict[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.cgroups, self.proc = self.folder / "cgroup", self.folder / "proc"
        self.proc.mkdir(parents=True)
        for top in self.tops:
            (top / "system.slice" / "kubelet.service").mkdir(parents=True)
        if self.version == 2:
            (self.cgroups / "cgroup.controllers").write_text("cpu memory\n")

    @property
    def tops(self) -> list[Path]:
        """The tops of the hierarchies."""
        return [self.cgroups] if self.version == 2 else [self.cgroups / name for name in ("cpu", "cpuacct", "memory")]

    def pod_path(self, uid: str) -> str:
        """Return the path of a pod of class Burstable."""
        if self.systemd:
            name = f"kubepods-burstable-pod{uid.replace('-', '_')}.slice"
            return f"kubepods.slice/kubepods-burstable.slice/{name}"
        return f"kubepods/burstable/pod{uid}"

    def path(self, uid: str, container: str) -> str:
        """Return the path of a container."""
        return f"{self.pod_path(uid)}/{f'cri-containerd-{container}.scope' if self.systemd else container}"

    def add(self, uid: str, name: str, container: str, pids: tuple[int, ...]) -> None:
        """Start a container of a pod; the sandbox has no name."""
        path = self.path(uid, container)
        for top in self.tops:
            folder = top / path
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids))
            (folder / "tasks").write_text("".join(f"{pid}\n" for pid in (*pids, *pids)))
        self.written[container] = Path(path)
        mounts = "600 500 0:30 / / rw - overlay overlay rw\n"
        if name:
            source = f"/var/lib/kubelet/pods/{uid}/containers/{name}/1f2e3d4c"
            mounts += f"601 600 8:1 {source} /dev/termination-log rw,relatime - ext4 /dev/sda1 rw\n"
        for pid in pids:
            process = self.proc / str(pid)
            (process / "net").mkdir(parents=True, exist_ok=True)
            line = f"0::/{path}\n" if self.version == 2 else f"4:memory:/{path}\n3:cpu,cpuacct:/{path}\n"
            (process / "cgroup").write_text(line)
            (process / "mountinfo").write_text(mounts)
            (process / "net/dev").write_text(NET_DEV.format(received=100, sent=50))
        self.use(container)
        self.use(uid, at=self.pod_path(uid))

    def use(
        self, container: str, *, at: str = "", cpu: float = 0.0, throttled: float = 0.0, memory: int = 1 << 20,
        kills: int = 0,
    ) -> None:  # fmt: skip
        """Write the values of a container, or of the cgroup `at`: seconds and bytes."""
        path = at or str(self.written[container])
        if self.version == 2:
            self._write(
                self.cgroups / path,
                {
                    "cpu.stat": f"usage_usec {round(cpu * 1e6)}\nthrottled_usec {round(throttled * 1e6)}\n",
                    "cpu.pressure": f"some avg10=0.00 avg60=0.00 avg300=0.00 total={round(throttled * 1e6)}\n",
                    "memory.current": f"{memory + 4096}\n",
                    "memory.stat": "inactive_file 4096\n",
                    "memory.max": f"{1 << 30}\n",
                    "memory.events": f"oom 0\noom_kill {kills}\n",
                    "pids.current": "7\n",
                },
            )
            return
        self._write(self.cgroups / "cpuacct" / path, {"cpuacct.usage": f"{round(cpu * 1e9)}\n"})
        self._write(self.cgroups / "cpu" / path, {"cpu.stat": f"throttled_time {round(throttled * 1e9)}\n"})
        self._write(
            self.cgroups / "memory" / path,
            {
                "memory.usage_in_bytes": f"{memory + 4096}\n",
                "memory.stat": f"total_inactive_file 4096\nhierarchical_memory_limit {1 << 30}\n",
                "memory.oom_control": f"oom_kill_disable 0\noom_kill {kills}\n",
            },
        )

    def end(self, container: str) -> None:
        """End a container: its cgroup is gone."""
        for top in self.tops:
            folder = top / self.written[container]
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()

    @staticmethod
    def _write(folder: Path, files: dict[str, str]) -> None:
        for name, text in files.items():
            (folder / name).write_text(text)
