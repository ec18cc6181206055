"""What the pages claim about the code: paths exist, each term occurs once, diagrams show the code's transitions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from pilotfish.detectors.detection.results import EpisodeChange

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
CODE_PATH = re.compile(r"`((?:sidecar|detectors|tests|docs|\.ci)/[\w./-]*)`")
PLACEHOLDER = "NAME"
DIAGRAM = re.compile(r"```mermaid\nstateDiagram-v2\n(.*?)```", re.DOTALL)
TERM = re.compile(r"^\| ([^|]+) \| [^|]+ \| [^|]* \|$", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_named_paths_of_code_exist(page: Path) -> None:
    named = {path for path in CODE_PATH.findall(page.read_text()) if PLACEHOLDER not in path}
    absent = sorted(path for path in named if not (ROOT / path).exists())
    assert not absent, f"{page.name} names {absent}, which do not exist"


def test_each_term_of_the_glossary_stands_once_and_in_order() -> None:
    for section in (ROOT / "docs/glossary.md").read_text().split("\n## ")[1:]:
        terms = [term for term in TERM.findall(section) if term not in ("term", "---")]
        assert terms == sorted(terms, key=str.lower), f"the terms of {section.splitlines()[0]!r} are not in order"
    terms = TERM.findall((ROOT / "docs/glossary.md").read_text())
    twice = {term for term in terms if terms.count(term) > 1} - {"term", "---"}
    assert not twice, f"the glossary defines {sorted(twice)} twice"


def test_the_diagram_of_an_episode_shows_every_change_of_an_episode() -> None:
    (diagram,) = DIAGRAM.findall((ROOT / "docs/detection.md").read_text())
    labels = {label.strip() for line in re.findall(r": (.+)$", diagram, re.MULTILINE) for label in line.split(",")}
    assert labels == {*get_args(get_type_hints(EpisodeChange)["kind"]), "alarm", "dropped"}
