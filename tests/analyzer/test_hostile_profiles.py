"""A profile with a wrong value is refused with its path; one that is accepted works through the whole analyzer."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import pytest

from pilotfish.detectors.errors import ProfileError
from pilotfish.detectors.profile import consistency
from pilotfish.detectors.profile.profile import Profile
from pilotfish.sidecar.analyzer.engine import EngineFactory, effect_sizes_only
from pilotfish.sidecar.analyzer.errors import ProfileRefusedError
from tests.analyzer.made import monitor
from tests.analyzer.profile_mutants import CASES, Case, mutants, raw_of, run

NAMES_THE_PLACE = re.compile(
    r"^\$\.|^the profile's format is|^the profile was built for|^the profile is not a JSON document|"
    r"feature .* has \d+ variance inflations"
)
ONE_OF_SHORT, ONE_OF_LONG = 400, 12  # mutants that are tried


def check(case: Case, raw: bytes, factory: EngineFactory) -> str:
    """Run the analyzer with a mutant; return why it is refused, or an empty text."""
    try:
        run(Profile.from_bytes(raw), case.live_rows(), factory)
    except (ProfileError, ProfileRefusedError) as error:
        return str(error)
    return ""


def try_mutants(name: str, one_of: int) -> None:
    case, chance = CASES[name], random.Random(f"{name} {one_of}")
    refused = tried = 0
    for number, (what, mutant) in enumerate(mutants(case.document)):
        if chance.randrange(one_of):
            continue
        tried += 1
        try:
            problem = check(case, raw_of(mutant), (monitor, effect_sizes_only)[number % 5 == 0])
        except BaseException as error:
            error.add_note(f"the mutant is {what!r} of {name}")
            raise
        refused += bool(problem)
        assert not problem or NAMES_THE_PLACE.search(problem), what
        assert len(problem.encode()) < 600, what
    assert refused > tried / 2 > 5


@pytest.mark.parametrize("name", CASES)
def test_any_value_changed_is_refused_with_its_path_or_works(name: str) -> None:
    try_mutants(name, ONE_OF_SHORT)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", CASES)
def test_any_value_changed_is_refused_with_its_path_or_works_in_long(name: str) -> None:
    try_mutants(name, ONE_OF_LONG)


@pytest.mark.parametrize("name", CASES)
def test_the_unchanged_profile_works(name: str) -> None:
    case = CASES[name]
    profile = Profile.from_bytes(case.profile.to_bytes())
    assert profile.hash == case.profile.hash
    report = run(profile, case.live_rows(), monitor).report
    assert report.profile is not None
    assert report.performance is not None
    assert {item.side: item.rows for item in report.rows} == {"input": 96, "prediction": 96}
    assert report.type_mismatches == 0


def test_the_cases_hold_every_kind_of_value() -> None:
    documents = [case.document for case in CASES.values()]
    assert {t["kind"] for d in documents for t in d["transforms"]} == {
        "array", "cosines", "list", "loss", "relations", "text", "timestamp",
    }  # fmt: skip
    features = [feature for document in documents for feature in document["features"]]
    assert any(feature["slots"] for feature in features)
    assert any(feature["bins"].get("tail") for feature in features)
    assert {document["reference"]["order"] for document in documents} == {"exchangeable", "time"}


def place(*path: str | int) -> Callable[[Any, Any], None]:
    def put(document: Any, value: Any) -> None:
        for part in path[:-1]:
            document = document[part]
        document[path[-1]] = value

    return put


KNOWN = [
    (place("performance", "rows_at_once"), [], r"\$\.performance\.rows_at_once must be a number.*\[\]"),
    (place("performance", "rows_at_once"), 0, r"\$\.performance\.rows_at_once must be a number from 1 .*not 0"),
    (place("performance", "levels"), [2], r"\$\.performance\.levels\[0\] must be .*not 2"),
    (place("reference", "tick_seconds"), 0, r"\$\.reference\.tick_seconds must be .*not 0"),
    (place("reference", "tick_seconds"), 1e308, r"\$\.reference\.tick_seconds must be .*1e\+308"),
    (place("reference", "rows_per_tick"), 0, r"\$\.reference\.rows_per_tick must be .*not 0"),
    (place("reference", "rows_per_tick"), None, r"\$\.reference\.rows_per_tick is None"),
    (place("reference", "duplicate_ratio"), None, r"\$\.reference\.duplicate_ratio must be"),
    (place("reference", "first_time"), 1e300, r"\$\.reference\.first_time must be"),
    (place("features", 0, "n_eff"), None, r"\$\.features\[0\]\.n_eff must be .*None"),
    (place("features", 0, "n_eff"), 1e-300, r"\$\.features\[0\] .*\.n_eff must be 0, or at least"),
    (
        place("features", 0, "name"),
        "\ud800",
        r"\$\.features\[0\]\.name must be text without half a surrogate.*'\\ud800'",
    ),
    (
        place("features", 0, "bins", "names", 0),
        "\udc00",
        r"\$\.features\[0\] .*\.bins\.names\[0\] must be text without",
    ),
    (place("features", 0, "warnings"), "x", r"\$\.features\[0\]\.warnings must be a list"),
    (place("model"), "\ud800", r"\$\.model must be text without half a surrogate"),
    (place("held_out", "alarms", 0, "row"), -1, r"\$\.held_out\.alarms\[0\]\.row must be a whole number"),
    (place("excluded"), {}, r"\$\.excluded must be a list"),
    (place("transforms", 1), "x", r"\$\.transforms\[1\] must be an object"),
    (place("input_columns", 0), "other", r"\$\.features\[0\] .*\.name is no column"),
]


@pytest.mark.parametrize(("put", "value", "says"), KNOWN)
def test_the_error_names_path_and_value(put: Callable[[Any, Any], None], value: Any, says: str) -> None:
    document = CASES["types"].document
    put(document, value)
    with pytest.raises(ProfileError, match=says):
        Profile.from_bytes(raw_of(document))


def test_a_profile_that_needs_too_much_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consistency, "MOST_CELLS", 100_000)
    with pytest.raises(ProfileError, match=r"\$\.features need \d+ likelihood ratios, more than 100000"):
        Profile.from_bytes(CASES["hours"].profile.to_bytes())
