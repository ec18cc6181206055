"""A process of `test_leadership.py`: it competes for a Lease, and writes down when it led.

python -m tests.kube.contender KUBECONFIG NAMESPACE IDENTITY
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from pilotfish.sidecar.kube.client import Kube
from pilotfish.sidecar.kube.election import LeaseTiming
from pilotfish.sidecar.kube.errors import NotLeaderError
from pilotfish.sidecar.kube.lease import Elector, boot_time

TIMING = LeaseTiming(duration=1.0, renew_deadline=0.6, retry=0.1, request=0.25)


async def compete(kubeconfig: Path, namespace: str, identity: str) -> None:
    stop, reign = asyncio.Event(), 0
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    kube = await Kube.connect(kubeconfig)
    elector = Elector(kube, namespace, "lease", identity, timing=TIMING)

    async def lead() -> None:
        nonlocal reign
        reign += 1
        while True:
            now = boot_time()  # before the check: a pause between the two makes the check fail
            try:
                elector.check()
            except NotLeaderError:
                return
            print(f"{now} {identity} {reign}", flush=True)
            await asyncio.sleep(0.002)

    async def resign() -> None:
        pass

    await elector.run(stop, lead, resign)
    await kube.close()


if __name__ == "__main__":
    asyncio.run(compete(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
