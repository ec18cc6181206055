"""What `pilotfish node` costs with 110 pods that ask: `python -m tests.benchmarks.node [SECONDS]`.

The node is one in a folder: 110 pods of three containers, eight GPUs of the scripted driver with a process of each
pod, a kubelet and an API server in this process. The kernel's own files of cgroups cost more than files of a folder:
the time for those of this machine is measured beside it.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pilotfish.sidecar.analyzer.node_client import NodeClient, node_peer
from pilotfish.sidecar.resources import cgroups
from pilotfish.sidecar.resources.groups import read_mounts
from pilotfish.sidecar.resources.pod.figures import AUDIENCE
from pilotfish.sidecar.resources.processes import read_membership, read_process
from tests.node.kubelets import FakeKubelet, pod, serving
from tests.node.machines import SANDBOX, FakeNode, container_id
from tests.support.apiserver.server import ApiServer
from tests.support.apiserver.tokens import pod_user
from tests.support.nvml.driver import ScriptedDriver, build
from tests.support.ports import accepts, free_port
from tests.support.tls import ONE
from tests.support.waiting import eventually

PODS, GPUS = 110, 8


def uid_of(number: int) -> str:
    """Return the UID of a pod."""
    return f"00000000-0000-4000-8000-{number:012x}"


def prepare(folder: Path) -> tuple[FakeNode, ScriptedDriver, FakeKubelet]:
    """Return the node, its driver and its kubelet."""
    machine = FakeNode(folder / "node")
    for number in range(PODS):
        machine.add(uid_of(number), "", SANDBOX[:-4] + f"{number:04x}", (100_000 + number,))
        machine.add(uid_of(number), "model", container_id(10 * number + 1), (200_000 + number,))
        machine.add(uid_of(number), "pilotfish-analyzer", container_id(10 * number + 2), (300_000 + number,))
    driver = ScriptedDriver(build(folder / "nvml"), folder / "driver.script")
    driver.devices(GPUS)
    for index in range(GPUS):
        own = [200_000 + number for number in range(index, PODS, GPUS)]
        driver.lines[f"processes.{index}"] = " ".join(f"{pid}:1048576" for pid in own)
        driver.lines[f"tasks.{index}"] = " ".join(f"{pid}:{100 // len(own)}:1" for pid in own)
    driver.change({})
    pods = [pod(f"m{number}", {"nvidia.com/gpu": [f"GPU-{number % GPUS}::{number // GPUS}"]}) for number in range(PODS)]
    return machine, driver, FakeKubelet(pods)


async def measure(folder: Path, seconds: float) -> None:
    """Print CPU and memory of the process and of its sampling process."""
    machine, driver, kubelet = prepare(folder)
    socket, port = folder / "kubelet.sock", free_port()
    async with ApiServer() as api:
        with serving(kubelet, socket):
            command = [
                sys.executable, "-P", "-m", "pilotfish.sidecar.cli", "node", "--node-name=node1",
                f"--kubeconfig={api.kubeconfig(folder)}", f"--listen=127.0.0.1:{port}", "--metrics-listen=127.0.0.1:0",
                f"--cgroup={machine.cgroups}", f"--proc={machine.proc}", f"--pod-resources={socket}",
                f"--tls-cert={ONE[0]}", f"--tls-key={ONE[1]}",
            ]  # fmt: skip
            process = subprocess.Popen(command, env=driver.environment)  # noqa: ASYNC220  # it returns at once
            try:
                await eventually(lambda: accepts(port), timeout=60)
                await ask(api, folder, port, process.pid, seconds)
            finally:
                process.terminate()
                process.wait(30)


async def ask(api: ApiServer, folder: Path, port: int, pid: int, seconds: float) -> None:
    """Let all pods ask for a while, and print the cost."""
    print(f"without pods that ask: {resident(pid)}")
    clients = []
    for number in range(PODS):
        token = folder / f"token-{number}"
        token.write_text(f"token-{number}")
        token.chmod(0o600)
        api.tokens[token.read_text()] = pod_user("models", "default", f"m{number}", uid_of(number), (AUDIENCE,))
        clients.append(NodeClient(node_peer(f"https://127.0.0.1:{port}", ONE[0], token)))
    answers = [0] * PODS

    async def pod_asks(number: int, until: float) -> None:
        await asyncio.sleep(number / PODS)
        while time.monotonic() < until:
            reading = await clients[number].ask()
            answers[number] += reading.fresh
            await asyncio.sleep(0.5)

    await asyncio.gather(*(pod_asks(number, time.monotonic() + 15) for number in range(PODS)))  # it settles
    answers[:] = [0] * PODS
    before, began = cpu(pid), time.monotonic()
    await asyncio.gather(*(pod_asks(number, began + seconds) for number in range(PODS)))
    elapsed = time.monotonic() - began
    used = {name: (after - before[name]) / elapsed for name, after in cpu(pid).items()}
    print(f"{PODS} pods, {sum(answers)} answers in {elapsed:.0f} s: {resident(pid)}")
    print(f"CPU of the process {used['process']:.2%} of a core, of its sampling process {used['sampler']:.2%}")
    for client in clients:
        await client.close()


def children(pid: int) -> list[int]:
    """Return the children of a process."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def cpu(pid: int) -> dict[str, float]:
    """Return CPU seconds of the process and of its children."""
    found = {"process": read_process(pid)}
    seconds = {"process": found["process"].cpu_ns / 1e9 if found["process"] else 0.0, "sampler": 0.0}
    for child in children(pid):
        sample = read_process(child)
        seconds["sampler"] += sample.cpu_ns / 1e9 if sample is not None else 0.0
    return seconds


def resident(pid: int) -> str:
    """Return the memory of the process and of its children."""
    each = {"process": pid, **{f"sampler {child}": child for child in children(pid)}}
    sizes = {name: read_process(one) for name, one in each.items()}
    return ", ".join(f"{name} {one.resident >> 20} MiB" for name, one in sizes.items() if one is not None)


def read_kernel() -> None:
    """Print what reading one cgroup of this machine costs."""
    group = cgroups.locate(cgroups.parse_memberships(read_membership(os.getpid())), read_mounts())
    began, count = time.process_time(), 200
    for _ in range(count):
        cgroups.read_cgroup(group)
    print(f"one cgroup of this machine: {(time.process_time() - began) / count * 1e6:.0f} us")


def main() -> None:
    """Measure."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    read_kernel()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), seconds))


if __name__ == "__main__":
    main()
