"""Runs control loops that crash on request: one JSON trial per line of standard input, one exit status per line out.

Each trial runs in a forked process, which needs no imports. It runs cycles until no entry is pending, or kills itself
with SIGKILL when a step is reached for the n-th time.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from random import Random

from pilotfish.sidecar.control.file_outbox import FileOutbox
from pilotfish.sidecar.control.ledger import PENDING, IntentLedger
from pilotfish.sidecar.control.loop import ControlLoop
from pilotfish.sidecar.control.outbox_file import OutboxFile
from pilotfish.sidecar.control.retrain.policy import KIND, POLICY
from pilotfish.sidecar.control.situation import Situation
from pilotfish.sidecar.control.webhook.sender import WebhookSender, WebhookTarget
from tests.control.situations import NOON, episode, situation

MOST_CYCLES = 30


class Killer:
    """Kills this process when the step `name` is reached for the `nth` time; `seen` lists all steps before."""

    def __init__(self, name: str, nth: int) -> None:
        self.name, self.left, self.seen = name, nth, list[str]()

    def __call__(self, name: str) -> None:
        self.seen.append(name)
        self.left -= name == self.name
        if name == self.name and self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


async def trial(state: str, url: str, secret: str, step: str, nth: int, episodes: list[str], start: float) -> None:
    killer = Killer(step, nth)
    opened = tuple(episode(id_, at=NOON + index) for index, id_ in enumerate(episodes))
    outbox = FileOutbox(OutboxFile(Path(state) / "outbox.jsonl", step=killer))
    clock = iter(range(int(start), 1 << 62, 700))  # 700 s per call, longer than any backoff

    def observe(ledger: IntentLedger, now: float) -> Situation:
        return replace(situation(*opened, now=now), ledger=ledger)

    loop = ControlLoop(
        observe=observe,
        policies=(POLICY,),
        executors={KIND: WebhookSender(WebhookTarget(url, Path(secret), 0.5), agent="pilotfish/test", clock=time.time)},
        outbox=outbox,
        publish=lambda _status: None,
        clock=lambda: float(next(clock)),
        random=Random(1),
        step=killer,
    )
    for _ in range(MOST_CYCLES):
        await loop.cycle()
        await loop.drain()
        if not any(entry.state == PENDING for entry in outbox.ledger.entries.values()):
            break
    outbox.close()
    (Path(state) / "steps").write_text(json.dumps(killer.seen))


def main() -> None:
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                asyncio.run(trial(**json.loads(line)))
            except BaseException as error:
                print(repr(error), file=sys.stderr, flush=True)
                os._exit(1)
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
