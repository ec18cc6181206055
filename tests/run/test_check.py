"""`pilotfish check` opens the files that a document names, and refuses it with the same text as a running analyzer."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from pilotfish.detectors.reference.build import build_profile
from pilotfish.sidecar import cli
from pilotfish.sidecar.analyzer.app import build
from pilotfish.sidecar.analyzer.options import Options
from pilotfish.sidecar.run.engine import engine
from tests.settings.test_document import HEAD, WHOLE

SPEC = 'spec:\n  model: {name: m, version: "1"}\n  profiles: [{version: "1", path: profile.json}]\n'


@pytest.fixture(scope="session")
def made() -> bytes:
    generator = np.random.default_rng(5)
    columns = {name: generator.normal(0, 1, 2000) for name in ("amount", "income")}
    columns["score"] = generator.normal(0, 1, 2000)
    return build_profile(columns, sides={"score": "prediction"}, model="m", version="1", exchangeable=True).to_bytes()


@pytest.fixture
def folder(tmp_path: Path, made: bytes) -> Path:
    (tmp_path / "profile.json").write_bytes(made)
    return tmp_path


def write(folder: Path, text: str) -> str:
    path = folder / "monitor.yaml"
    path.write_text(text)
    return str(path)


def refused(folder: Path, spec: str, capsys: pytest.CaptureFixture[str], *flags: str) -> list[str]:
    """Return the problems that `check` prints for a document."""
    assert cli.main(["check", "-f", write(folder, HEAD + spec), *flags]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    head, *problems = shown.err.splitlines()
    assert head == f"{folder}/monitor.yaml: {len(problems)} problem{'' if len(problems) == 1 else 's'}"
    return [problem.strip() for problem in problems]


def reason_of_run(folder: Path) -> str:
    """Return why an analyzer of `pilotfish run` with the same document is idle."""
    options = Options(shared=folder / "shared", admin="127.0.0.1:0", document=folder / "monitor.yaml")
    return build(options, engine).report.reason


def test_it_shows_the_settings_in_force_and_marks_defaults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "--cluster", "-f", write(tmp_path, WHOLE)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["spec.drift.tick", "60s", "default"] in lines
    assert ["spec.resources.cpu.min", "250m"] in lines
    assert ["spec.drift.features.a.b.tolerance", "0.01"] in lines


def test_it_converts_the_budget_to_a_threshold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["check", "-f", write(tmp_path, HEAD)])
    assert "at most 1 false alarm in 30d: the threshold for evidence is 43,200" in capsys.readouterr().out


def test_a_document_that_run_can_use_is_accepted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "key").write_text("secret")
    spec = SPEC + (
        "  drift: {features: {amount: {ignore: true}, income: {tolerance: 0.01}}}\n"
        "  traffic: {keepRows: {rows: 1000, mask: [amount, user_id]}}\n"
        "  retrain: {webhook: {url: 'https://t.example/', secretFile: key}}\n"
    )
    assert cli.main(["check", "-f", write(folder, HEAD + spec)]) == 0
    assert capsys.readouterr().err == ""


def test_a_bad_document_is_refused_with_every_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = refused(tmp_path, "spec: {mode: x, trafic: 1}", capsys)
    assert len(found) == 2
    assert any("did you mean traffic?" in problem for problem in found)


PROFILES = {
    "absent": None,
    "not-json": b"{",
    "empty": b"",
    "no-profile": b"{}",
    "damaged-gzip": b"\x1f\x8b\x08rubbish",
}


@pytest.mark.parametrize("content", PROFILES.values(), ids=PROFILES)
def test_a_profile_that_cannot_be_used_is_refused_as_by_run(
    folder: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    (folder / "profile.json").unlink()
    if content is not None:
        (folder / "profile.json").write_bytes(content)
    (problem,) = refused(folder, SPEC, capsys)
    assert "profile.json" in problem
    assert problem == reason_of_run(folder)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (SPEC.replace('"1"', '"2"'), "is for version '1', the document is for '2'"),
        (SPEC.replace("name: m", "name: n"), "is for model 'm', the document is for 'n'"),
    ],
    ids=["version", "model"],
)
def test_a_profile_of_another_model_or_version_is_refused_as_by_run(
    folder: Path, capsys: pytest.CaptureFixture[str], spec: str, said: str
) -> None:
    (problem,) = refused(folder, spec, capsys)
    assert said in problem
    assert problem == reason_of_run(folder)


def test_a_document_without_a_profile_for_its_version_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (problem,) = refused(folder, SPEC.replace('version: "1"}\n', 'version: "2"}\n'), capsys)
    assert "names none for the version '2' of spec.model.version" in problem


def test_the_profiles_of_other_versions_are_opened_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = SPEC.replace("profile.json}", "profile.json}, {version: '2', path: profile.json}, {version: '3', path: no}")
    first, second = refused(folder, spec, capsys)
    assert "is for version '1', the document is for '2'" in first
    assert "no': No such file" in second


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            "  drift: {features: {incme: {ignore: true}}}",
            "spec.drift.features.incme: the profile has no such feature; did",
        ),
        ("  drift: {features: {zzz: {tolerance: 0.1}}}", "spec.drift.features.zzz: the profile has no such feature"),
        ("  drift: {detectors: [{type: river.ADWIN, stream: feature.amout.psi}]}", "did you mean 'amount'?"),
        ("  drift: {detectors: [{type: river.ADWIN, stream: performance.realized}]}", "no label column"),
        (
            "  traffic: {decode: {inputColumns: {Amount: $.a}}}",
            "decode.inputColumns.Amount: the profile has no such input",
        ),
        (
            "  traffic: {keepRows: {rows: 1000, mask: [ammount]}}",
            "keepRows.mask: the profile has no column 'ammount'; did",
        ),
    ],
)
def test_a_name_that_the_profile_does_not_have_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], spec: str, said: str
) -> None:
    (problem,) = refused(folder, f"{SPEC}{spec}\n", capsys)
    assert said in problem


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "No such file"), (b"", "holds 0 bytes"), (b" \n", "holds 0 bytes"), (b"x" * 5000, "holds")],
)
def test_a_secret_that_cannot_be_used_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, said: str
) -> None:
    if content is not None:
        (folder / "key").write_bytes(content)
    spec = f"{SPEC}  retrain: {{webhook: {{url: 'https://t.example/', secretFile: key}}}}\n"
    (problem,) = refused(folder, spec, capsys)
    assert problem.startswith("secret file ")
    assert said in problem


def test_settings_for_a_cluster_are_refused_as_by_run_and_accepted_for_a_cluster(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = SPEC + "  targetRef: {apiVersion: apps/v1, kind: Deployment, name: m}\n"
    (problem,) = refused(folder, spec, capsys)
    assert problem == "$.spec.targetRef (line 7): works in a cluster only; remove it; --upstream names the model server"
    assert problem in reason_of_run(folder)
    assert cli.main(["check", "--cluster", "-f", str(folder / "monitor.yaml")]) == 0


def test_files_of_a_cluster_that_are_not_here_give_a_warning_and_the_others_are_opened(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = SPEC.replace("profile.json}", "profile.json}, {version: '2', path: elsewhere.json}")
    assert cli.main(["check", "--cluster", "-f", write(folder, HEAD + spec)]) == 0
    assert "elsewhere.json' is not here and was not checked" in capsys.readouterr().out
    (folder / "profile.json").write_bytes(b"{")
    assert len(refused(folder, spec, capsys, "--cluster")) == 1


def test_control_characters_of_a_profile_do_not_reach_the_terminal(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "profile.json").write_bytes(b'{"format": "\x1b[31m"}')
    assert "\x1b" not in "".join(refused(folder, SPEC, capsys))


def test_the_document_can_be_named_by_the_variable_of_run(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PILOTFISH_FILE", write(folder, HEAD + SPEC))
    assert cli.main(["check"]) == 0
    assert "monitor.yaml: in force" in capsys.readouterr().out


@pytest.mark.long
def test_it_needs_no_http_library(folder: Path) -> None:
    code = "import sys, pilotfish.sidecar.run.check; print({'aiohttp', 'asyncio'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"


NO_URLS = (
    "trainer.example/hook?key=S3CRET",
    "ann:S3CRET@trainer.example",
    "https:// trainer.example/hook?key=S3CRET",
)
URLS = (
    "https://ann:S3CRET@trainer.example/hook",
    "https://ann:S3/CRET@trainer.example/hook",
    "ftp://trainer.example/hook?key=S3CRET#S3CRET",
    "https://trainer.example:99999/hook?key=S3CRET",
    "http://[::1/hook?key=S3CRET",
)
IN_PLACE = ("retrain: {webhook: {url: %s}}", "profiles: [{url: %s}]")
ELSEWHERE = (
    "retrain: {webhook: %s}",
    "retrain: %s",
    "retrain: {webhook: {%s: 1}}",
    "model: {name: m, version: [%s]}",
    "mode: %s",
)


@pytest.mark.parametrize(
    ("block", "url"), [*product(IN_PLACE, (*URLS, *NO_URLS)), *product(ELSEWHERE, URLS)], ids=lambda part: part[:40]
)
def test_an_invalid_url_is_shown_without_its_secrets(
    folder: Path, capsys: pytest.CaptureFixture[str], block: str, url: str
) -> None:
    problems = refused(folder, f"spec:\n  {block % json.dumps(url)}\n", capsys)
    assert "S3CRET" not in "".join(problems)


def test_a_url_in_force_is_shown_without_its_secrets(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = SPEC + '  retrain: {webhook: {url: "https://trainer.example/S3CRET?key=S3CRET#S3CRET"}}\n'
    assert cli.main(["check", "-f", write(folder, HEAD + spec)]) == 0
    shown = capsys.readouterr()
    assert "S3CRET" not in shown.out + shown.err
    assert "https://trainer.example/…" in shown.out
