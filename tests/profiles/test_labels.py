"""Labels on the command line: a profile with a loss, and a replay that alarms when the loss grows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pilotfish.sidecar import cli
from pilotfish.sidecar.profiles.files import read_profile


def write(path: Path, rows: int, *, worse_from: int | None = None, seed: int = 0) -> Path:
    """Write class, confidence and label; a third has no label, and errors are more frequent from `worse_from` on."""
    rng = np.random.default_rng(seed)
    lines = ["size,predicted,confidence,truth"]
    for row in range(rows):
        error = 0.1 if worse_from is None or row < worse_from else 0.3
        truth = rng.choice(["cat", "dog"])
        wrong = rng.random() < error
        predicted = truth if not wrong else "dog" if truth == "cat" else "cat"
        confidence = rng.uniform(0.5, 0.8) if wrong else rng.uniform(0.6, 1)
        lines.append(f"{rng.normal():.3f},{predicted},{confidence:.4f},{truth if rng.random() < 0.67 else ''}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def profile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Build a profile; the file "built" beside it holds the output."""
    out = tmp_path / "profile.json"
    options = ["--prediction", "predicted", "--score", "confidence", "--label", "truth", "--rows-per-tick", "50"]
    data = write(tmp_path / "reference.csv", 8000)
    assert cli.main(["profile", "build", str(data), "--out", str(out), *options]) == 0
    (tmp_path / "built").write_text(capsys.readouterr().out)
    return out


@pytest.mark.long
def test_build_and_show_print_the_loss(profile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    built = (profile.parent / "built").read_text()
    assert cli.main(["profile", "show", str(profile)]) == 0
    shown = capsys.readouterr().out
    for output in (built, shown):
        assert "classification: loss 1 if predicted differs from truth, else 0; 0." in output
        assert "labelled rows" in output
        assert "estimated from confidence, which is not calibrated as the probability of the predicted class" in output
    assert "task: classification, inferred from predicted and truth; change it with --task" in built
    assert "loss:by_score" not in shown
    known = read_profile(profile).performance
    assert known is not None
    assert (known.label, known.prediction, known.score) == ("truth", "predicted", "confidence")
    assert 5000 < known.rows < 5700


def test_replay_alarms_when_labels_show_more_mistakes(
    profile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write(tmp_path / "live.csv", 5000, worse_from=2500, seed=1)
    command = ["replay", str(data), "--profile", str(profile), "--rows-per-tick", "50", "--json"]
    assert cli.main(command) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    alarms = [event for event in events if event.get("family") == "performance"]
    assert [[item["name"] for item in alarm["features"]] for alarm in alarms] == [["loss"]]
    assert 2500 < alarms[0]["row"] <= 3300
    assert cli.main([*command, "--loss-tolerance", "0.4"]) == 0
    tolerant = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert not any(event.get("family") == "performance" for event in tolerant)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["--label", "truth", "--prediction", "predicted", "--score", "sur"], "--score sur: there is no such column"),
        (["--label", "truth", "--prediction", "predicted", "--score", "truth"], "is given by --score and --label"),
        (["--label", "size", "--prediction", "predicted"], "cannot compare the label"),
        (
            ["--label", "truth", "--prediction", "predicted", "--task", "regression"],
            "is a number to compare 'truth' with",
        ),
        (["--label", "truth", "--label", "size", "--prediction", "predicted"], "are all labels"),
        (["--label", "truth", "--prediction", "predicted", "--task", "ranking"], "none of the predictions"),
    ],
)
def test_labels_that_do_not_fit_are_refused_with_the_reason(
    tmp_path: Path, options: list[str], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write(tmp_path / "reference.csv", 400)
    assert cli.main(["profile", "build", str(data), "--out", str(tmp_path / "p.json"), *options]) == 2
    output = capsys.readouterr().err
    assert what in output
    assert "Traceback" not in output


def test_a_label_without_predictions_is_left_out_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write(tmp_path / "reference.csv", 400)
    assert cli.main(["profile", "build", str(data), "--out", str(tmp_path / "p.json"), "--label", "truth"]) == 0
    assert "a label without a --prediction to compare it with" in capsys.readouterr().out
    assert "truth" not in read_profile(tmp_path / "p.json").columns("input")


def test_a_tolerance_outside_of_0_to_1_is_refused(profile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = profile.parent / "reference.csv"
    assert cli.main(["replay", str(data), "--profile", str(profile), "--loss-tolerance", "5"]) == 2
    assert "'loss_tolerance' must be between 0 and 1" in capsys.readouterr().err


def test_a_second_score_is_refused_with_the_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write(tmp_path / "reference.csv", 500)
    options = ["--prediction", "predicted", "--score", "confidence", "--score", "size", "--label", "truth"]
    assert cli.main(["profile", "build", str(data), "--out", str(tmp_path / "p.json"), *options]) == 2
    assert "the others by --prediction" in capsys.readouterr().err


@pytest.mark.long
def test_replay_lists_the_columns_that_the_data_lack(profile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = profile.parent / "less.csv"
    data.write_text("predicted,confidence\n" + "cat,0.9\ndog,0.8\n" * 200)
    assert cli.main(["replay", str(data), "--profile", str(profile), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert summary["columns_not_in_data"] == ["size"]
    assert cli.main(["replay", str(data), "--profile", str(profile)]) == 0
    assert "not monitored, because the data lack them: size" in capsys.readouterr().out
