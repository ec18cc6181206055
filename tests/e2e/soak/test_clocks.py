"""The wall clock steps by an hour and by a year, in both directions: everything goes on, and drift is still found."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from glob import glob
from pathlib import Path

import pytest

from tests.control.receiver import Receiver
from tests.e2e.conftest import profile_of
from tests.e2e.load import Load, loaded, until
from tests.e2e.scrapes import ScrapeChecker
from tests.e2e.soak.events import assert_one_event_per_episode, delivered_all, open_another_episode
from tests.e2e.soak.figures import FIGURES
from tests.e2e.soak.sizes import SLOW, progress
from tests.e2e.stack import DOCUMENT, Stack, requests_total, total
from tests.e2e.test_feedback import labels_with_error, predict, send_labels
from tests.support.sizes import FULL, size
from tests.support.waiting import wait_until

LIBRARIES = [*glob("/usr/lib*/*/faketime/libfaketimeMT.so.1"), *glob("/usr/lib*/faketime/libfaketimeMT.so.1")]
pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(size(180, 1800)),
    pytest.mark.skipif(not LIBRARIES, reason="not installed: libfaketime (Debian: faketime)"),
]

HOUR, YEAR = 3600, 365 * 86400
# Offsets from the true time, in seconds.
STEPS = {"hour": (HOUR, 0, -HOUR), "year": (YEAR, 0, -YEAR)} if FULL else {"year and hour": (YEAR, -HOUR)}
REQUESTS = size(150, 3000)
RENEWED_SECONDS = 5.0
MOST_ATTEMPTS = 3  # to deliver the event that waited for its second attempt
TICK, MORE_TICKS = 0.2, 100  # seconds of a tick; a step that closed all ticks of an hour would close 18,000


class Clock:
    """The clock of the processes under test: the true time and an offset, which a file contains."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._file = folder / "clock"
        self.set(0)
        for name, value in {
            "LD_PRELOAD": LIBRARIES[0],
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }.items():
            monkeypatch.setenv(name, value)

    def set(self, offset: int) -> None:
        """Step the clock to `offset` seconds from the true time."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{offset:+d}\n")
        fresh.replace(self._file)


@dataclass
class LabelledRequests:
    """Requests with labels: a new one every few seconds, because a loaded analyzer may not measure a request."""

    stack: Stack
    sent: int = 0
    renewed: float = 0.0
    step: list[str] = field(default_factory=list)  # ids since the clock's last step: the analyzer may be behind

    def start_step(self) -> None:
        """Forget the requests before a step of the clock."""
        self.step, self.renewed = [], 0.0

    def join(self) -> bool:
        """Send the labels of all requests since the step, after a new one if due; return whether all of one joined."""
        if time.monotonic() > self.renewed + RENEWED_SECONDS:
            self.sent, self.renewed = self.sent + 1, time.monotonic()
            self.step.append(f"labelled-{self.sent}")
            predict(self.stack, self.step[-1:])
        labels = labels_with_error(0.1)
        found = send_labels(self.stack, {"feedback": [{"id": name, "labels": labels} for name in self.step]})
        return bool(max(found["joined"], found["duplicate"]) >= len(labels))


@pytest.mark.parametrize("steps", STEPS)
def test_clock_steps_by(
    steps: str, stack: Stack, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(tmp_path, monkeypatch)
    stack.write("monitor.yaml", (DOCUMENT % receiver.url).replace("cooldown: 1h", "cooldown: 1s"))
    stack.start()
    wait_until(stack.ready, timeout=30, what="the analyzer")
    pids, labelled = (stack.pid("proxy"), stack.pid("analyzer")), LabelledRequests(stack)

    async def step_and_drift() -> Load:
        async with loaded(stack.listen) as load:
            load.shift = 3.0
            await until(stack.episodes, "an episode before the steps", timeout=SLOW)
            for number, offset in enumerate(STEPS[steps]):
                receiver.script[:] = ["500", "200"]
                await open_another_episode(stack, number)
                await until(lambda: receiver.script == ["200"], "a failed attempt", timeout=SLOW)
                samples, answered, arrived = stack.metrics(), load.answered, len(receiver.arrivals)
                measured, ticks = total(samples, "pilotfish_rows_total"), total(samples, "pilotfish_ticks_total")
                before, stepped = {episode["id"] for episode in stack.episodes()}, time.monotonic()
                clock.set(offset)  # while the event waits for its next attempt
                await until(lambda: delivered_all(stack, receiver), "the event that waited", timeout=SLOW)
                assert len(receiver.arrivals) <= arrived + MOST_ATTEMPTS, "the receiver was flooded"
                await until(lambda before=answered: load.answered > before + REQUESTS, "traffic", timeout=SLOW)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
                await until(
                    lambda before=measured: total(stack.metrics(), "pilotfish_rows_total") > before,  # type: ignore[misc]  # see above
                    "rows after the step",
                )
                passed = total(stack.metrics(), "pilotfish_ticks_total") - ticks
                assert passed <= (time.monotonic() - stepped) / TICK + MORE_TICKS, "the step closed ticks without rows"
                assert {episode["id"] for episode in stack.episodes()} <= before, "the step opened an episode"
                labelled.start_step()
                await until(labelled.join, "labels to join after the step", timeout=SLOW)
                before = {episode["id"] for episode in stack.episodes()}
                profile = await asyncio.to_thread(profile_of, 200 + number)
                await until(
                    lambda profile=profile: stack.get("/profile", "PUT", profile)[0] == 200,  # type: ignore[misc]  # see above
                    "the profile to be taken",
                )
                await until(
                    lambda before=before: {episode["id"] for episode in stack.episodes()} - before,  # type: ignore[misc]  # see above
                    "an episode after the step",
                    timeout=SLOW,
                )
                await until(lambda: delivered_all(stack, receiver), "the event after the step", timeout=SLOW)
                progress(f"clock at {offset:+d} s: {load.answered} requests, {len(receiver.ids)} events")
        return load

    with ScrapeChecker(stack) as checker:
        load = asyncio.run(step_and_drift())
        wait_until(
            lambda: requests_total(stack.metrics()) == load.answered + labelled.sent,
            what="every request to be counted",
        )
    assert load.failures == []
    # libfaketime lets time.sleep fail at times (EINVAL); a scrape that meets it lacks the whole counter page.
    assert [fault for fault in checker.faults if not fault.endswith(" to 0")] == []
    assert (stack.pid("proxy"), stack.pid("analyzer")) == pids, stack.run.errors()
    assert_one_event_per_episode(receiver)
    FIGURES.record(
        f"the clock steps by a {steps}, ahead and back",
        f"{load.answered:,} requests, 0 failed; {len(receiver.ids)} episodes and events; labels join after each step",
    )
    assert stack.stop() == 0
    assert not stack.run.crashed()
