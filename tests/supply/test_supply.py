"""`make licenses`, `make sbom` and `make audit`: what they accept, and what they refuse."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SUPPLY = runpy.run_path(str(ROOT / ".ci/supply"))


def run(task: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / ".ci/supply"), task]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def package(**fields: str) -> Message:
    made = Message()
    for name, value in fields.items():
        made[name.replace("_", "-")] = value
    return made


def test_every_runtime_dependency_has_an_allowed_licence() -> None:
    done = run("licenses")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) == len(SUPPLY["locked"]())


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("BSD-3-Clause AND (0BSD OR MIT)", True),
        ("GPL-3.0-only", False),
        ("MIT AND AGPL-3.0-or-later", False),
        ("MIT OR GPL-2.0-only", False),  # a person chooses
        ("Apache-2.0 WITH LLVM-exception", False),
        ("", False),
        ("AND", False),
    ],
)
def test_every_licence_of_an_expression_must_be_allowed(expression: str, *, allowed: bool) -> None:
    assert SUPPLY["is_allowed"](expression) is allowed


@pytest.mark.parametrize(
    ("fields", "classifiers", "expected"),
    [
        ({"License_Expression": "MIT AND ISC"}, ["License :: OSI Approved :: BSD License"], "MIT AND ISC"),
        ({"License": "MIT"}, ["License :: OSI Approved :: Apache Software License"], "Apache-2.0"),
        ({"License": "MIT License\n\nCopyright ..."}, [], "MIT"),
        ({"License": "Proprietary"}, [], "Proprietary"),
        ({}, ["Programming Language :: Python"], ""),
    ],
)
def test_licence_is_read_from_the_metadata(fields: dict[str, str], classifiers: list[str], expected: str) -> None:
    assert SUPPLY["licence"](package(**fields), classifiers) == expected


def looked_up(*dependencies: dict[str, Any]) -> tuple[int | None, str]:
    found: tuple[int | None, str] = SUPPLY["verdict"]({"dependencies": list(dependencies)})
    return found


def test_a_vulnerability_fails_the_audit_even_if_other_packages_were_not_found() -> None:
    bad = {"name": "a", "version": "1", "vulns": [{"id": "CVE-1"}]}
    assert looked_up(bad, {"name": "b", "skip_reason": "not found"}) == (1, "a 1: CVE-1")


def test_an_audit_that_looked_up_nothing_has_no_result() -> None:
    assert looked_up({"name": "b", "skip_reason": "not found"}) == (None, "1 of 1 dependencies were not found")
    assert looked_up()[0] is None


def test_an_audit_without_a_finding_passes() -> None:
    assert looked_up({"name": "a", "version": "1", "vulns": []})[0] == 0


@pytest.mark.real
@pytest.mark.timeout(600)
def test_sbom_lists_each_runtime_dependency_with_its_licence() -> None:
    done = run("sbom")
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads((ROOT / "build/sbom.json").read_text())
    assert (document["bomFormat"], document["metadata"]["component"]["name"]) == ("CycloneDX", "pilotfish")
    assert len(document["components"]) == len(SUPPLY["locked"]())
    assert all(component.get("licenses") for component in document["components"])
    (root,) = (item for item in document["dependencies"] if item["ref"] == "root-component")
    assert root["dependsOn"], "the SBOM does not relate Pilotfish to its dependencies"


@pytest.mark.real
@pytest.mark.timeout(600)
def test_audit_finds_nothing_or_warns_that_it_could_not_look() -> None:
    done = run("audit")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no known vulnerability" in done.stdout or "NOT AUDITED" in done.stderr
