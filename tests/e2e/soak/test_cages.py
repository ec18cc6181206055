"""Without root, shell, /tmp, /dev/shm, descriptors or disk space: traffic passes, and what is missing is reported."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from tests.control.receiver import Receiver
from tests.e2e.conftest import profile_of
from tests.e2e.load import loaded, until
from tests.e2e.scrapes import ScrapeChecker
from tests.e2e.soak.cage import USER, Cage
from tests.e2e.soak.caged import PILOTFISH, start_caged
from tests.e2e.soak.events import assert_one_event_per_episode, delivered_all
from tests.e2e.soak.sizes import SLOW, progress
from tests.e2e.stack import DOCUMENT, Stack, requests_total, total
from tests.support.programs import needs
from tests.support.sizes import size
from tests.support.users import needs_root
from tests.support.waiting import patient, wait_until

pytestmark = [pytest.mark.long, pytest.mark.timeout(size(180, 1800)), needs_root, needs("mount", "unshare")]

ROUNDS, PAGES = size(4, 120), size(4, 24)  # free pages from 0 to PAGES - 1: each write fails in some round
STEP = size(150, 1000)  # requests in one round


def owners_and_modes(folder: Path) -> set[tuple[int, int]]:
    return {(path.stat().st_uid, stat.S_IMODE(path.stat().st_mode)) for path in [folder, *folder.rglob("*")]}


def test_read_only_root_without_shell_as_a_numeric_user(stack: Stack, receiver: Receiver) -> None:
    start_caged(stack, Cage(str(stack.folder)))
    assert Path(f"/proc/{stack.run.pid}/root/usr/lib").is_dir()
    assert not Path(f"/proc/{stack.run.pid}/root/bin/sh").exists()

    async def drift() -> int:
        async with loaded(stack.listen) as load:
            load.shift = 3.0
            await until(lambda: receiver.arrivals, "the event", timeout=SLOW)
            stack.kill_analyzer()
            await until(stack.ready, "the next analyzer process", timeout=SLOW)
        assert load.failures == []
        return load.answered

    answered = asyncio.run(drift())
    wait_until(lambda: requests_total(stack.metrics()) == answered, what="every request to be counted")
    assert owners_and_modes(stack.folder / "shared") == {(USER, 0o700), (USER, 0o600)}
    assert owners_and_modes(stack.folder / "state") == {(USER, 0o700), (USER, 0o600)}
    assert stack.stop() == 0
    assert not stack.run.crashed()


def test_without_any_folder_for_the_channel_the_message_names_the_flag(stack: Stack) -> None:
    cage = Cage(str(stack.folder))
    addresses = ("--listen", f"127.0.0.1:{stack.listen}", "--upstream", f"127.0.0.1:{stack.upstream}")
    child = stack.spawn(*cage.prefix(), *PILOTFISH, "run", *addresses, "--admin", f"127.0.0.1:{stack.admin}")
    assert child.process.wait(timeout=patient(20)) == 2
    assert "give --shared" in child.errors()
    assert "Traceback" not in child.errors()


def root_of(stack: Stack) -> Path:
    """Return the root folder of the caged processes, seen from outside."""
    return Path(f"/proc/{stack.run.pid}/root")


def leave_free(disk: Path, pages: int) -> None:
    """Fill the file system of `disk` except for about `pages` pages."""
    filler = disk / "filler"
    filler.unlink(missing_ok=True)
    status = os.statvfs(disk)
    size = max(0, status.f_bavail - pages) * status.f_frsize
    with filler.open("wb") as file, suppress(OSError):  # the processes may be faster and take the space
        file.write(bytes(size))


def saved(stack: Stack) -> bool:
    """Return whether checkpoint and outbox are on disk."""
    samples = stack.metrics()
    warnings = json.dumps(stack.report().get("warnings", []))
    return bool(samples) and total(samples, "pilotfish_outbox_unsaved") == 0 and "checkpoint" not in warnings


def test_a_disk_that_is_full_at_any_write_costs_nothing(stack: Stack, receiver: Receiver) -> None:
    stack.write("monitor.yaml", (DOCUMENT % receiver.url).replace("cooldown: 1h", "cooldown: 1s"))
    start_caged(stack, Cage(str(stack.folder), disks={"/state": 1 << 20}), state="/state")
    disk = root_of(stack) / "state"
    wait_until(stack.ready, timeout=30, what="the analyzer")
    analyzer = stack.pid("analyzer")

    async def fill() -> int:
        async with loaded(stack.listen) as load:
            load.shift = 3.0
            for number in range(ROUNDS):
                leave_free(disk, number % PAGES)
                profile = await asyncio.to_thread(profile_of, 100 + number)
                await asyncio.to_thread(stack.get, "/profile", "PUT", profile)
                answered = load.answered
                await until(lambda before=answered: load.answered > before + STEP, "traffic")  # type: ignore[misc]  # mypy cannot infer a lambda with a default
                failures = total(stack.metrics(), "pilotfish_checkpoint_failures_total")
                progress(f"{number % PAGES} pages free: {failures:.0f} failed checkpoints, {len(receiver.ids)} events")
            (disk / "filler").unlink()
            await until(lambda: saved(stack), "checkpoint and outbox on disk")
            await until(lambda: delivered_all(stack, receiver), "the event of the last episode", timeout=SLOW)
        assert load.failures == []
        return load.answered

    with ScrapeChecker(stack) as checker:
        answered = asyncio.run(fill())
        wait_until(lambda: requests_total(stack.metrics()) == answered, what="every request to be counted")
        assert total(stack.metrics(), "pilotfish_checkpoint_failures_total") > 0
        assert stack.pid("analyzer") == analyzer, stack.run.errors()
        stack.kill_analyzer()
        wait_until(lambda: stack.pid("analyzer") not in {0, analyzer} and stack.ready(), timeout=30)
    assert checker.faults == []
    assert_one_event_per_episode(receiver)
    assert stack.stop() == 0
    assert not stack.run.crashed()
