"""A machine inside this one: namespaces of network, processes, mounts and host name, and a cgroup.

Everything that a node changes on its host is in them: addresses, routes, nftables, mounts, /run, /var/log, /etc/hosts.
The kernel ends all processes of the machine when its first process ends, and that ends with the test run, even if the
test run is killed. Only the cgroups remain; the next machine removes those of machines that are gone.

From this side, a veth reaches the machine and what it routes: 10.N.0.0/16, for the first N that no route uses.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import Child, Children, is_running
from tests.support.waiting import patient, wait_until

CGROUPS = Path("/sys/fs/cgroup")
PREFIX = "pilotfish-node-"
SHARES = {"cpu.shares": "20480", "cpu.weight": "1000"}  # pods get processors beside a busy test run
# SIGCHLD stays ignored: the kernel then reaps the processes that daemons leave behind.
FIRST_PROCESS = (
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"),
    *("env", "--ignore-signal=CHLD", "sleep", "infinity"),
)
# The machine's own /run and /var/log, where the programs of a node write without being asked; its own hosts and DNS.
SETUP = """
set -eu
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/log
mount --bind "$FOLDER/hosts" /etc/hosts
mount --bind "$FOLDER/resolv.conf" /etc/resolv.conf
hostname "$NAME"
ip link set lo up
ip link add cni0 type bridge
ip addr add "$ADDRESS/24" dev cni0
ip link set cni0 up
ip addr add "$NET.255.2/30" dev uplink
ip link set uplink up
ip route add default via "$NET.255.1"
echo 1 > /proc/sys/net/ipv4/ip_forward
"""


@dataclass(frozen=True)
class Machine:
    """A machine that runs. `pid` is its first process, seen from here; `net` are the first two bytes of its addresses.

    `gateway` is the address of this side, as the machine sees it; `address` is the machine's own.
    """

    folder: Path
    children: Children
    pid: int
    net: str
    name: str = "node1"

    @property
    def address(self) -> str:
        return f"{self.net}.0.1"

    @property
    def gateway(self) -> str:
        return f"{self.net}.255.1"

    @property
    def cgroup(self) -> str:
        """The cgroup of the machine's pods, as a path within each hierarchy."""
        return f"/{PREFIX}{self.pid}"

    def inside(self, *, processes: bool = True) -> tuple[str, ...]:
        """Return the words to put before a command, so that it runs on the machine."""
        spaces = ("--net", "--mount", "--uts", *(("--pid",) if processes else ()))
        return ("nsenter", "--target", str(self.pid), *spaces, "--wdns=/", "--")

    def start(self, *argv: str | Path, env: dict[str, str] | None = None) -> Child:
        """Start a program on the machine; it ends with the machine."""
        return self.children(*self.inside(), *argv, env=env)

    def run(self, *argv: str | Path, env: dict[str, str] | None = None, seconds: float = 60) -> str:
        """Run a command on the machine and return its output; raise AssertionError with its errors if it fails."""
        done = subprocess.run(
            [*self.inside(), *map(str, argv)],
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=patient(seconds),
        )
        assert done.returncode == 0, f"{' '.join(map(str, argv))}: {done.stderr.strip()} {done.stdout.strip()}"
        return done.stdout


@contextlib.contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    """Start a machine, and end it with all its processes, mounts, addresses and cgroups."""
    assert threading.current_thread() is threading.main_thread(), "the machine ends with the thread that starts it"
    _remove_cgroups()
    children = Children(folder)
    started: Machine | None = None
    try:
        started = _start(folder, children)
        yield started
    finally:
        children.end()
        wait_until(lambda: started is None or not is_running(started.pid), what="the processes of the machine to end")
        if started is not None:
            with contextlib.suppress(subprocess.CalledProcessError):  # connections that close keep it for minutes
                _ip(f"link delete {_link(started.net)}")
        _remove_cgroups()


def _start(folder: Path, children: Children) -> Machine:
    holder = children(*FIRST_PROCESS)
    forked = Path(f"/proc/{holder.pid}/task/{holder.pid}/children")

    def first() -> int:
        """Return the pid of `sleep`: before, the same process is still `unshare`, and its /proc is not mounted yet."""
        assert holder.running(), f"no namespaces: {holder.errors()}"
        pids = forked.read_text().split()
        return int(pids[0]) if pids and Path(f"/proc/{pids[0]}/comm").read_text() == "sleep\n" else 0

    pid = wait_until(first, what="the first process of the machine")
    net = _take_network(pid)
    started = Machine(folder, children, pid, net)
    (folder / "hosts").write_text(f"127.0.0.1 localhost\n{started.address} {started.name}\n")
    (folder / "resolv.conf").write_text(
        f"nameserver {started.address}\nsearch svc.cluster.local cluster.local\noptions ndots:5\n"
    )
    for line in (
        f"addr add {net}.255.1/30 dev {_link(net)}",
        f"link set {_link(net)} up",
        f"route add {net}.0.0/16 via {net}.255.2",
    ):
        _ip(line)
    names = {"FOLDER": str(folder), "NAME": started.name, "ADDRESS": started.address, "NET": net}
    started.run("sh", "-c", SETUP, env=names)
    for hierarchy in _hierarchies():
        group = hierarchy / started.cgroup.lstrip("/")
        group.mkdir()
        for name, share in SHARES.items():
            if (group / name).exists():
                (group / name).write_text(share)
    return started


def _link(net: str) -> str:
    return f"pf{net.replace('.', '-')}"


def _take_network(pid: int) -> str:
    """Link a machine to this one; return the first network without a route. The link's name keeps others from it."""
    used = {line.split(".")[1] for line in _ip("-4 route").splitlines() if line.startswith("10.")}
    for net in (f"10.{number}" for number in range(70, 250) if str(number) not in used):
        with contextlib.suppress(subprocess.CalledProcessError):  # another machine took it in this moment
            _ip(f"link add {_link(net)} type veth peer name uplink netns {pid}")
            return net
    raise AssertionError("no network from 10.70.0.0/16 to 10.249.0.0/16 is free")


def _ip(arguments: str) -> str:
    """Run `ip` on this side, and return its output."""
    done = subprocess.run(["ip", *arguments.split()], check=True, capture_output=True, text=True, timeout=patient(10))
    return done.stdout


def _hierarchies() -> list[Path]:
    """Return the roots of the cgroup hierarchies: one for version 2, one for each controller for version 1."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    return [path for path in CGROUPS.iterdir() if path.is_dir() and not path.is_symlink()]


def _remove_cgroups() -> None:
    """Remove the cgroups of machines that are gone. One that still has processes stays for the next machine."""
    for hierarchy in _hierarchies():
        for top in hierarchy.glob(f"{PREFIX}*"):
            if is_running(int(top.name.removeprefix(PREFIX))):
                continue
            for path, _, _ in os.walk(top, topdown=False):
                with contextlib.suppress(OSError):
                    Path(path).rmdir()
