"""A profile with a wrong value is refused with its path; one that is accepted works through the whole analyzer."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import numpy as np
import pytest

from pilotfish.detectors.errors import ProfileError
from pilotfish.detectors.evalues.bank import build_bank
from pilotfish.detectors.profile import consistency
from pilotfish.detectors.profile.profile import Profile
from pilotfish.sidecar.analyzer.engine import EngineFactory, effect_sizes_only
from pilotfish.sidecar.analyzer.errors import ProfileRefusedError
from tests.analyzer.made import monitor
from tests.analyzer.profile_mutants import CASES, Case, mutants, raw_of, run, transplants
from tests.support.sizes import FULL, size

NAMES_THE_PLACE = re.compile(
    r"^\$\.|^the profile's format is|^the profile was built for|^the profile is not a JSON document|"
    r"feature .* has \d+ variance inflations"
)
ONE_OF_SHORT, ONE_OF_LONG = 1500, size(400, 150)  # mutants that are tried


def check(case: Case, raw: bytes, factory: EngineFactory) -> str:
    """Run the analyzer with a mutant; return why it is refused, or an empty text."""
    try:
        run(Profile.from_bytes(raw), case.live_rows(), factory)
    except (ProfileError, ProfileRefusedError) as error:
        return str(error)
    return ""


def try_mutants(name: str, one_of: int) -> None:
    case, chance = CASES[name], random.Random(f"{name} {one_of}")
    chosen = [found for found in mutants(case.document) if not chance.randrange(one_of)]
    assert try_each(name, chosen) > len(chosen) / 2


def try_each(name: str, chosen: Iterable[tuple[str, Any]]) -> int:
    """Return how many mutants are refused; the others work."""
    case, refused = CASES[name], 0
    for number, (what, mutant) in enumerate(chosen):
        try:
            problem = check(case, raw_of(mutant), (monitor, effect_sizes_only)[number % 5 == 0])
        except BaseException as error:
            error.add_note(f"the mutant is {what!r} of {name}")
            raise
        refused += bool(problem)
        assert not problem or NAMES_THE_PLACE.search(problem), what
        assert len(problem.encode()) < 600, what
    return refused


@pytest.mark.long
@pytest.mark.parametrize("name", CASES)
def test_any_value_changed_is_refused_with_its_path_or_works(name: str) -> None:
    try_mutants(name, ONE_OF_SHORT)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", CASES)
def test_any_value_changed_is_refused_with_its_path_or_works_in_long(name: str) -> None:
    try_mutants(name, ONE_OF_LONG)


@pytest.mark.parametrize(
    "count",
    [2, pytest.param(size(12, 40), marks=[pytest.mark.long, pytest.mark.timeout(1800)])],
    ids=["short", "in_long"],
)
@pytest.mark.parametrize("name", CASES)
def test_values_from_other_places_are_refused_or_work(name: str, count: int) -> None:
    try_each(name, islice(transplants(CASES[name].document, random.Random(name)), count))


def test_a_repeated_key_is_refused() -> None:
    raw = CASES["types"].profile.to_bytes().replace(b'"model":"m"', b'"model":"m","model":"m"')
    with pytest.raises(ProfileError, match="the key 'model' appears twice"):
        Profile.from_bytes(raw)


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
    (place("reference", "order"), "rows", r"\$\.reference has the order 'rows' and tick_seconds"),
    (place("input_columns", 0), "other", r"\$\.features\[0\] .*\.name is not a column"),
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


def all_ticks(document: Any, seconds: float) -> None:
    """Set the lengths of ticks that the reference has."""
    reference = document["reference"]
    reference |= {key: seconds for key in ("tick_seconds", "live_tick_seconds") if reference[key]}


def all_counts(document: Any, count: int) -> None:
    """Give every bin of every feature the same count; slots must add up to the whole."""
    for feature in document["features"]:
        size, slots = len(feature["shaping"]), feature["slots"]
        for part in ("shaping", "bounding"):
            feature[part] = [count * (24 if slots else 1)] * size
            if slots:
                slots[part] = [[count] * size] * 24
        feature["slots"] = slots if count else None
    document["reference"] |= {"rows": 2**53 - 1, "ticks": 1}


def all_cuts(document: Any, low: float, high: float) -> None:
    for feature in document["features"]:
        bins = feature["bins"]
        if "cuts" in bins and not bins.get("loss") and feature["name"] != "loss:by_score":
            bins["cuts"] = [float(cut) for cut in np.linspace(low, high, len(bins["cuts"]))]
            bins |= {"atoms": [None] * len(bins["atoms"]), "centre": low, "spread": 0, "discrete": False}
            feature["slots"] = None
    for transform in document["transforms"]:
        if transform["kind"] == "loss" and transform["by_score"]:
            score = next(f for f in document["features"] if f["name"] == transform["by_score"]["score"])
            transform["by_score"]["bins"] = score["bins"]


def all_of(document: Any, key: str, value: Any) -> None:
    for feature in document["features"]:
        old = feature[key]
        feature[key] = [value] * len(old) if isinstance(old, list) else value


def renamed(document: Any, old: str, new: str) -> Any:
    """The document with another name for a column, wherever it is used."""
    raw = json.dumps(document)
    for before, after in ((f'"{old}"', json.dumps(new)), (f'"{old}:', json.dumps(f"{new}:")[:-1])):
        raw = raw.replace(before, after)
    return json.loads(raw)


EXTREMES: dict[str, Callable[[Any], object]] = {
    "no rows": lambda d: all_counts(d, 0),
    "one row in each bin": lambda d: all_counts(d, 1),
    "as many rows as fit": lambda d: all_counts(d, 2**40),
    "largest inflation": lambda d: all_of(d, "inflation", 1e15),
    "largest growth": lambda d: all_of(d, "growth", 1e15),
    "n_eff 0": lambda d: all_of(d, "n_eff", 0),
    "least n_eff": lambda d: all_of(d, "n_eff", 0.05),
    "nothing raises an alarm": lambda d: [f.update(growth=[], inflation=[], slots=None) for f in d["features"]],
    "large cuts": lambda d: all_cuts(d, -1e301, 1e301),
    "small cuts": lambda d: all_cuts(d, -1e-300, 1e-300),
    "close cuts": lambda d: all_cuts(d, 1e9, 1e9 + 1),
    "dense": lambda d: d["reference"].update(rows_per_tick=d["reference"]["rows_per_tick"] and 2**53 - 1),
    "sparse": lambda d: d["reference"].update(rows_per_tick=d["reference"]["rows_per_tick"] and 1),
    "long ticks": lambda d: all_ticks(d, 1e9),
    "short ticks": lambda d: all_ticks(d, 1e-6),
    "long blocks": lambda d: d["reference"].update(longest_block=2**53 - 1),
    "early": lambda d: d["reference"].update(first_time=d["reference"]["first_time"] and -62_135_596_800),
    "no losses": lambda d: d["performance"].update(levels=[0.0] * len(d["performance"]["levels"])),
    "no transforms apply": lambda d: [t.update(share=2**-32) for t in d["transforms"] if "share" in t],
    "many warnings": lambda d: d.update(warnings=["<script>" * 2000] * 20),
}


def extremes() -> list[tuple[str, str]]:
    """Return what is extreme and the names of cases: one case each, and all of them in `make soak`."""
    names = list(CASES)
    return [(what, name) for n, what in enumerate(EXTREMES) for name in (names if FULL else [names[n % len(names)]])]


@pytest.mark.long
@pytest.mark.parametrize(("what", "name"), extremes())
def test_an_extreme_profile_works(what: str, name: str) -> None:
    try_extreme(what, name)


def try_extreme(what: str, name: str) -> None:
    document = CASES[name].document
    EXTREMES[what](document)
    for item, feature in zip(document["features"], Profile.from_bytes(raw_of(document)).features, strict=True):
        if feature.watched:  # the number of alternatives depends on bins and counts
            size, value = len(build_bank(feature.bins, feature.training, 0.0025).groups), item["inflation"][0]
            item["inflation"] = item["growth"] = [value] * size
            if item["slots"]:
                item["slots"] |= dict.fromkeys(("inflation", "bound_inflation", "growth"), [value] * size)
    assert check(CASES[name], raw_of(document), monitor) == ""


@pytest.mark.long
@pytest.mark.parametrize("new", ["", "x" * 1000, 'a\x00\n"<b>\\{}\u202e\U0001f600', "loss", "city:length", "CITY"])
def test_a_profile_with_any_name_of_a_column_works(new: str) -> None:
    case = CASES["types"]
    document = renamed(case.document, "note", new)
    rows = {new if name == "note" else name: values for name, values in case.live_rows().items()}
    problem = ""
    try:
        run(Profile.from_bytes(raw_of(document)), rows, monitor)
    except ProfileError as error:
        problem = str(error)
    assert not problem or NAMES_THE_PLACE.search(problem)
