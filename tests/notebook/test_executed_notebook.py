"""docs/notebook.ipynb runs, and its committed outputs are those of this code. `make notebook` writes them anew."""

from __future__ import annotations

import math
import re
from base64 import b64decode
from typing import Any

import pytest

from tests.notebook.execute import executed, read

NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?")
IMAGE = re.compile(r'src="data:image/svg\+xml;base64,([^"]+)"')
HASH = re.compile(r"\b(?=[0-9a-f]*[a-f])[0-9a-f]{12,64}\b")
BUILT = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ")
RELATIVE, ABSOLUTE = 0.02, 0.15  # numbers may differ by the last bits of a processor, and pixels by their rounding


def outputs(notebook: dict[str, Any]) -> list[list[dict[str, str]]]:
    """Return what a reader sees of each code cell, by type, with pictures as SVG, without hashes and build times."""
    return [
        [
            {
                kind: plain("".join(value))
                for kind, value in {**output.get("data", {}), "stream": output.get("text", "")}.items()
            }
            for output in cell["outputs"]
        ]
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]


def plain(text: str) -> str:
    drawn = IMAGE.sub(lambda found: b64decode(found[1]).decode(), text)
    return BUILT.sub("BUILT", HASH.sub("HASH", drawn))


def difference(committed: str, now: str) -> str:
    """Return where two texts differ; empty if their words are equal and their numbers are close."""
    if NUMBER.sub("0", committed) != NUMBER.sub("0", now):
        return f"{committed[:300]!r} is now {now[:300]!r}"
    for old, new in zip(NUMBER.findall(committed), NUMBER.findall(now), strict=True):
        if not math.isclose(float(old), float(new), rel_tol=RELATIVE, abs_tol=ABSOLUTE):
            return f"{old} is now {new} in {now[:200]!r}"
    return ""


@pytest.mark.long
@pytest.mark.timeout(300)
def test_the_committed_outputs_are_those_of_a_new_run() -> None:
    committed = read()
    now = executed(committed)
    for place, (old, new) in enumerate(zip(outputs(committed), outputs(now), strict=True), 1):
        assert [sorted(one) for one in old] == [sorted(one) for one in new], f"code cell {place} has other outputs"
        for one, other in zip(old, new, strict=True):
            for kind, text in one.items():
                found = difference(text, other[kind])
                assert not found, f"code cell {place}, {kind}: {found}; if this is right, run `make notebook`"


def test_a_reader_of_the_documentation_sees_every_output() -> None:
    cells = [cell for cell in read()["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1)), "run `make notebook`"
    assert not [output for cell in cells for output in cell["outputs"] if output["output_type"] == "error"]


def test_the_comparison_finds_another_number_and_another_word() -> None:
    assert difference("1 alarm at 10.01", "1 alarm at 10.02") == ""
    assert difference("1 alarm", "2 alarms")
    assert difference("PSI 0.5", "PSI 0.9")
