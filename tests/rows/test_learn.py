"""A profile from stored rows equals one from memory, and is refused if the rows were not stable."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from pilotfish.detectors.cells import MISSING_WORDS, missing_words
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.schema import LONGEST_NAME
from pilotfish.sidecar.rows.blocks import RowBlock
from pilotfish.sidecar.rows.learn import instability, learn
from pilotfish.sidecar.rows.learn_messages import LearnJob, LearnResult
from pilotfish.sidecar.rows.log import RowLog
from pilotfish.sidecar.rows.table import build_table
from tests.support.waiting import patient

WANTED = LearnJob(
    model="m",
    version="7",
    rows=3000,
    gathered=1.7e9,
    tick_seconds=60,
    tolerance=0.0025,
    timezone="UTC",
    false_alarm_ticks=43_200,
    missing_words=tuple(sorted(MISSING_WORDS)),
)


def blocks(rows: int = 3000, seconds: float = 2.0, shift: float = 0.0) -> list[RowBlock]:
    random = np.random.default_rng(5)
    amounts = random.normal(size=rows)
    amounts[2 * rows // 3 :] += shift
    at = [1.7e9 + seconds * index for index in range(rows)]
    colors = random.choice(["blue", "red"], rows).tolist()
    scores = random.normal(size=rows).tolist()
    return [
        RowBlock(
            at[part],
            {"amount": amounts[part].tolist(), "color": colors[part]},
            {"score": scores[part], "amount": scores[part]},
        )
        for part in (slice(first, first + 100) for first in range(0, rows, 100))
    ]


def test_inputs_predictions_times_and_names_are_learned() -> None:
    profile = learn(build_table(blocks(), 3000), WANTED)
    assert (profile.model, profile.version, profile.reference.order) == ("m", "7", "time")
    assert (profile.columns("input"), profile.columns("prediction")) == (("amount", "color"), ("score",))
    assert instability(profile.held_out) == ""


def test_columns_that_are_masked_keep_their_places() -> None:
    job = msgspec.structs.replace(WANTED, inputs=("id", "amount", "masked", "color"), unsent=("id",))
    profile = learn(build_table(blocks(), 3000), job)
    assert (profile.sent_columns, profile.unsent_columns) == (("amount", "masked", "color"), ("id",))
    other = learn(build_table(blocks(), 3000), msgspec.structs.replace(WANTED, inputs=("id", "amount")))
    assert (other.sent_columns, other.unsent_columns) == (("amount", "color"), ())


def test_few_ticks_are_learned_in_the_order_of_the_rows() -> None:
    profile = learn(build_table(blocks(seconds=0.01), 3000), WANTED)
    assert (profile.reference.order, profile.reference.longest_block > 0) == ("rows", True)


def test_the_words_that_mean_missing_are_those_of_the_job() -> None:
    made = [replace(block, inputs={"color": ["blue", "NA", ""] * (len(block.at) // 3)}) for block in blocks()]
    words = tuple(sorted(missing_words(kept=["NA"])))
    profile = learn(build_table(made, 3000), replace(WANTED, missing_words=words))
    assert profile.missing_words == words
    assert profile.feature("color").labels == ("NA", "blue", "unseen", "missing")


def test_rows_beyond_the_wanted_number_are_ignored() -> None:
    table = build_table(blocks(), 2950)
    assert len(table.times) == 2950
    assert {len(column) for column in table.columns.values()} == {2950}  # type: ignore[arg-type]
    assert table.left_out == {"amount": "an input has the same name"}


def run_learn(folder: Path, job: LearnJob = WANTED) -> subprocess.CompletedProcess[bytes]:
    """Learn `folder/out` in a process of its own: it lowers its priority and limits its memory."""
    command = [sys.executable, "-m", "pilotfish.sidecar.rows.learn", str(folder), "learning", str(folder / "out")]
    return subprocess.run(
        [*command, msgspec.json.encode(job)], stdout=subprocess.PIPE, check=False, timeout=patient(50)
    )


def result_of(done: subprocess.CompletedProcess[bytes]) -> LearnResult:
    assert done.returncode == 0
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=LearnResult)


@pytest.mark.long
def test_rows_that_change_over_time_are_refused(tmp_path: Path) -> None:
    RowLog(tmp_path, "learning", most_rows=3000, most_bytes=1 << 24, newest=False).append(blocks(shift=2.0))
    outcome = result_of(run_learn(tmp_path))
    assert "not stable" in outcome.problem
    assert "amount" in outcome.problem
    assert not (tmp_path / "out").exists()


@pytest.mark.long
def test_learning_runs_in_a_separate_process(tmp_path: Path) -> None:
    RowLog(tmp_path, "learning", most_rows=3000, most_bytes=1 << 24, newest=False).append(blocks())
    assert result_of(run_learn(tmp_path)) == LearnResult(rows=3000)
    assert Profile.from_bytes(gzip.decompress((tmp_path / "out").read_bytes())).reference.rows == 3000


@pytest.mark.long
def test_missing_rows_and_too_little_memory_are_reported(tmp_path: Path) -> None:
    assert "no rows are stored" in result_of(run_learn(tmp_path)).problem
    RowLog(tmp_path, "learning", most_rows=3000, most_bytes=1 << 24, newest=False).append(blocks())
    done = run_learn(tmp_path, msgspec.structs.replace(WANTED, memory=1 << 20))
    assert done.returncode != 0 or b"memory" in done.stdout


def test_a_column_with_a_name_that_no_profile_can_hold_is_left_out() -> None:
    long = "x" * (LONGEST_NAME + 1)
    block = RowBlock([1.0, 2.0], {"a": [1, 2], long: [3, 4]}, {})
    table = build_table([block], 10)
    assert list(table.columns) == ["a"]
    assert table.left_out == {long[:80]: "its name has more than 1000 characters"}
