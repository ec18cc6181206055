"""A state file with flipped bits, cut or overwritten: the analyzer starts, reports it, and shows no wrong evidence."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pilotfish.sidecar.analyzer.app import App, build
from pilotfish.sidecar.analyzer.options import Options
from pilotfish.sidecar.analyzer.profile_store import ProfileStore
from pilotfish.sidecar.analyzer.snapshot import Snapshot
from pilotfish.sidecar.channel.page import CounterPage
from pilotfish.sidecar.report.schema import AuditEntry, FeatureReport
from pilotfish.sidecar.telemetry.exposition import Exposition
from tests.analyzer.feedback.made import exchange, labelled, labels
from tests.analyzer.made import SECOND, T0, monitor
from tests.support.sizes import size

DOCUMENT = """
apiVersion: pilotfish.dev/v1alpha1
kind: ModelMonitor
metadata: {name: m}
spec:
  model: {name: m}
  profiles: [{path: profile.json}]
  drift: {tick: 10s}
  traffic: {keepRows: {rows: 500}}
"""
IN_FORCE, BEFORE = 1, 2  # seeds of the stored profile and of the one stored before it; the document has seed 0
FILES = (
    "shared/fates", "shared/page", "state/audit.jsonl", "state/checkpoint", "state/feedback-00000001.log",
    "state/profile", "state/profile.previous", "state/rows/recent.000000000001.rows",
)  # fmt: skip
ALWAYS_SAID = ("state/checkpoint", "state/profile")  # they have a checksum over all
CHANGES = size(15, 50)  # of each file


@contextmanager
def opened(folder: Path) -> Iterator[App]:
    options = Options(
        shared=folder / "shared", state=folder / "state", document=folder / "monitor.yaml", admin="127.0.0.1:1"
    )
    app = build(options, monitor)
    app._worker._run_commands()  # the thread of the worker is not started
    app._worker._save()
    try:
        yield app
    finally:
        app._worker._close()
        os.close(app._lock)


def count_and_save(app: App, first: int) -> None:
    """Count exchanges and labels of three ticks, and save."""
    pipeline = app._worker._pipeline
    for sequence in range(first, first + 40):
        now = T0 + sequence * SECOND
        pipeline.handle_record(exchange(sequence, f"id{sequence}", answers=("blue", "green"), at_ns=now), now)
        pipeline.take_labels(labels((f"id{sequence}", 0, "blue")), now)
        pipeline.advance(now)
    app._worker._save()


def evidence(app: App) -> tuple[FeatureReport, ...]:
    return app.report.features


def read(app: App) -> tuple[Snapshot, bytes]:
    """All that the analyzer shows, rendered."""
    reading = app._read()
    return app._worker.published, Exposition(lambda: replace(reading, now=T0 / SECOND)).render("")[0]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an analyzer that ran, stopped, and left every kind of file."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "monitor.yaml").write_text(DOCUMENT)
    (folder / "profile.json").write_bytes(labelled().to_bytes())
    for name in ("shared", "state"):
        (folder / name).mkdir(mode=0o700)
    CounterPage.open(folder / "shared" / "page", now_ns=T0).close()
    with opened(folder):
        pass
    store = ProfileStore(folder / "profile.json", folder / "state")
    store.load_changed()
    for seed in (BEFORE, IN_FORCE):
        store.store(labelled(seed).to_bytes())
    with opened(folder) as app:
        count_and_save(app, 1)
        app._actions._audit.append(AuditEntry(time=T0 / SECOND, action="profile", outcome="in_force", new="abc"))
    assert all((folder / name).exists() for name in FILES), sorted(map(str, folder.rglob("*")))
    return folder


def damages(raw: bytes, chance: random.Random) -> bytes:
    """The content with a flipped bit, cut, with overwritten bytes, with a part removed, or with bytes appended."""
    used = [place for place, byte in enumerate(raw) if byte]
    place = chance.choice(used) if chance.randrange(4) else chance.randrange(len(raw))
    match chance.randrange(8):
        case 0 | 1 | 2 | 3:
            changed = bytearray(raw)
            changed[place] ^= 1 << chance.randrange(8)
            return bytes(changed)
        case 4:
            return raw[:place]
        case 5:
            filling = chance.choice((b"\xff", b"\0")) * min(chance.choice((8, 64, 512)), len(raw) - place)
            place -= place % 8
            return raw[:place] + filling + raw[place + len(filling) :]
        case 6:
            return raw[:place] + raw[place + chance.randrange(1, 64) :]
        case _:
            return raw + chance.randbytes(chance.randrange(1, 64))


def try_damages(name: str, whole: Path, folder: Path, number: int) -> None:
    chance = random.Random(f"{name} {number}")
    with opened(whole) as app:
        expected, hashes = evidence(app), {labelled(seed).hash for seed in (0, IN_FORCE, BEFORE)}
    for attempt in range(number):
        copy = folder / f"{attempt}"
        shutil.copytree(whole, copy)
        damaged = damages((copy / name).read_bytes(), chance)
        (copy / name).write_bytes(damaged)
        try:
            with opened(copy) as app:
                report = app.report
                assert report.state == "watching"
                assert report.profile is not None
                assert report.profile.hash in hashes
                if name in ALWAYS_SAID:
                    assert any(f"{name}.refused" in text for text in report.warnings), report.warnings
                if report.profile.hash != labelled(IN_FORCE).hash:
                    assert any("profile.refused" in text for text in report.warnings), report.warnings
                elif evidence(app) != expected or name == "state/checkpoint":
                    assert not any(feature.effects for feature in report.features)
                    assert any("evidence starts from zero" in text for text in report.warnings), report.warnings
                count_and_save(app, 101)
                read(app)
            with opened(copy) as app:  # what was damaged is set aside by now; a refused profile is said at each start
                others = [text for text in app.report.warnings if "profile.refused" not in text]
                assert not any("refused" in text for text in others), others
                count_and_save(app, 201)
        except BaseException as error:
            error.add_note(f"attempt {attempt} of {name}: {damaged[:200]!r}")
            raise
        shutil.rmtree(copy)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_never_ends_the_analyzer(name: str, whole: Path, tmp_path: Path) -> None:
    try_damages(name, whole, tmp_path, CHANGES)
