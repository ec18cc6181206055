"""The loop is killed at every step, with a receiver that fails in every way: one id per cause, and no lost request."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from pilotfish.sidecar.control import journal
from pilotfish.sidecar.control.ledger import DELIVERED, IntentLedger
from tests.control.receiver import SECRET, Receiver, receiving
from tests.control.situations import NOON

ROOT = Path(__file__).parents[2]
SCRIPTS = {
    "accepts": ["200"],
    "fails-first": ["500", "200"],
    "closes-without-an-answer": ["die", "200"],
    "hangs-first": ["hang", "200"],
}

LONG = {"closes-without-an-answer", "fails-first", "hangs-first"}  # the rest of the matrix: `make test-long`
AT_LENGTH = (pytest.mark.long,)


class Crasher:
    """Runs each trial in a process forked from a common one."""

    def __init__(self, process: subprocess.Popen[str], state: Path, secret: Path) -> None:
        self._process, self.state, self._secret = process, state, secret
        self._starts = 0

    def __call__(self, receiver: Receiver, step: str = "", nth: int = 0, episodes: tuple[str, ...] = ("e1",)) -> int:
        """Run until no entry is pending or the trial is killed; return the exit status."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._starts += 1
        trial = {
            "state": str(self.state),
            "url": receiver.url,
            "secret": str(self._secret),
            "step": step,
            "nth": nth,
            "episodes": list(episodes),
            "start": NOON + 7200 * self._starts,
        }
        self._process.stdin.write(json.dumps(trial) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def steps(self) -> list[str]:
        """Return the steps of the last trial that ended normally."""
        found: list[str] = json.loads((self.state / "steps").read_text())
        return found

    def ledger(self) -> IntentLedger:
        """Return the ledger on disk."""
        path = self.state / "outbox.jsonl"
        return IntentLedger().apply(journal.decode(path.read_bytes() if path.exists() else b"").operations)

    def use_folder(self, name: str) -> None:
        """Use a new, empty state folder."""
        self.state = self.state.parent / name
        self.state.mkdir()


@pytest.fixture(scope="module")
def zygote() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.control.crash"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def crasher(zygote: subprocess.Popen[str], tmp_path: Path) -> Crasher:
    secret = tmp_path / "secret"
    secret.write_bytes(SECRET)
    (tmp_path / "state").mkdir()
    return Crasher(zygote, tmp_path / "state", secret)


def delivered(ledger: IntentLedger) -> set[str]:
    return {entry.id for entry in ledger.entries.values() if entry.state == DELIVERED}


def occurrences(steps: list[str]) -> list[tuple[str, int]]:
    return [(step, steps[: index + 1].count(step)) for index, step in enumerate(steps)]


@pytest.mark.parametrize(
    "script", [pytest.param(script, id=name, marks=AT_LENGTH * (name in LONG)) for name, script in SCRIPTS.items()]
)
def test_killed_at_every_step_one_cause_has_one_id(crasher: Crasher, script: list[str]) -> None:
    with receiving(script) as receiver:
        assert crasher(receiver) == 0
    for number, (step, nth) in enumerate(occurrences(crasher.steps())):
        crasher.use_folder(f"{number}-{step}")
        with receiving(script) as receiver:
            assert crasher(receiver, step, nth) == -signal.SIGKILL
            known, before = delivered(crasher.ledger()), len(receiver.arrivals)
            assert crasher(receiver) == 0
            assert len(receiver.ids) == 1, step
            assert delivered(crasher.ledger()) == receiver.ids
            assert all(arrival.signed for arrival in receiver.arrivals)
            assert len({arrival.body for arrival in receiver.arrivals}) == 1
            if known:
                assert len(receiver.arrivals) == before, f"sent again after a recorded 2xx, killed at {step}"


@pytest.mark.long
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=AT_LENGTH) for seed in range(1, 6))])
def test_killed_again_and_again_one_of_two_causes_is_sent_within_the_cooldown(crasher: Crasher, seed: int) -> None:
    random = Random(seed)
    script = [random.choice(("500", "die", "retry-after")) for _ in range(random.randrange(6))]
    with receiving([*script, "200"]) as receiver:
        for _ in range(random.randrange(3, 12)):
            step = random.choice(
                ("outbox.append", "outbox.written", "executor.apply", "executor.applied", "loop.decided")
            )
            crasher(receiver, step, random.randrange(1, 4), ("e1", "e2"))
            known = delivered(crasher.ledger())
            if known:
                break
        before = len(receiver.arrivals)
        assert crasher(receiver, episodes=("e1", "e2")) == 0
        assert len(receiver.ids) == 1
        assert delivered(crasher.ledger()) == receiver.ids
        if known:
            assert len(receiver.arrivals) == before
