"""Features in the order of a reader: columns first, each with its derived features, relations last."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.detectors.quality.findings import FindingKind
from pilotfish.detectors.reference.build import build_profile
from pilotfish.sidecar.report.columns import SHOWN_RELATIONS, ordered
from pilotfish.sidecar.report.problems import FINDINGS, OTHER_REMEDY, REASONS, REMEDIES, remedy
from pilotfish.sidecar.report.schema import FeatureReport


def feature(name: str, column: str = "", **changes: Any) -> FeatureReport:
    return FeatureReport(**{"name": name, "side": "input", "family": "features", "column": column or name, **changes})


def relation(name: str, **changes: Any) -> FeatureReport:
    return FeatureReport(name=name, side="input", family="multivariate", evidence_ratio=1e-6, **changes)


def names(features: list[FeatureReport]) -> list[str]:
    return [entry.name for entry in ordered(features).columns]


def test_columns_keep_their_order_while_evidence_is_noise() -> None:
    found = [feature("z", evidence_ratio=1e-9), feature("a", evidence_ratio=5e-3), feature("m", evidence_ratio=1e-6)]
    assert names([relation("residual:z"), *found]) == ["z", "a", "m"]


def test_a_column_that_changed_comes_first_then_evidence() -> None:
    found = [
        feature("calm", evidence_ratio=1e-9),
        feature("near", evidence_ratio=0.4),
        feature("drifts", evidence_ratio=0.2, episode_id="e"),
    ]
    assert names(found) == ["drifts", "near", "calm"]


def test_derived_features_are_one_entry_and_the_most_notable_stands_for_it() -> None:
    found = [
        feature("emb:norm", "emb", evidence_ratio=1e-9),
        feature("emb:pc1", "emb", evidence_ratio=0.5),
        feature("age", evidence_ratio=0.1),
    ]
    first, second = ordered(found).columns
    assert (first.name, first.first.name, len(first.derived)) == ("emb", "emb:pc1", 2)
    assert (second.name, second.derived) == ("age", ())
    assert ordered(found).derived == 2


def test_relations_are_folded_away_unless_nothing_else_changed() -> None:
    related = [relation("cosine:1", episode_id="e"), *(relation(f"residual:x{at}", episode_id="e") for at in range(9))]
    beside = ordered([feature("x", episode_id="e"), *related])
    assert beside.changed_relations == ()
    assert beside.summary == "10 measures of relations between columns, 10 changed"
    alone = ordered([feature("x"), *related])
    assert [item.name for item in alone.changed_relations] == [f"residual:x{at}" for at in range(SHOWN_RELATIONS)]
    (only,) = ordered([feature("x"), relation("mahalanobis", episode_id="e")]).changed_relations
    assert only.name == "mahalanobis"
    assert ordered([relation("cosine:1")]).summary == "1 measure of relations between columns, none near an alarm"


def test_a_report_of_an_earlier_version_has_one_entry_per_feature() -> None:
    old = [FeatureReport(name=name, side="input", family="features") for name in ("emb:norm", "emb:mean", "x")]
    assert names(old) == ["emb:norm", "emb:mean", "x"]


FEATURES = st.builds(
    FeatureReport,
    name=st.text("abc:", max_size=4),
    side=st.just("input"),
    family=st.sampled_from(["features", "multivariate", "predictions"]),
    evidence_ratio=st.none() | st.floats(0, 1e300),
    episode_id=st.none() | st.just("e"),
    column=st.sampled_from(["", "a", "b"]),
)


@given(st.lists(FEATURES, max_size=12))
def test_each_feature_is_in_one_place(features: list[FeatureReport]) -> None:
    found = ordered(features)
    placed = [*(item for entry in found.columns for item in entry.features), *found.relations]
    assert sorted(map(id, placed)) == sorted(map(id, features))
    assert {item.name for item in found.changed_relations} <= {item.name for item in found.relations}


def test_a_profile_lists_its_columns_in_the_order_of_the_reference() -> None:
    random = np.random.default_rng(0)
    base = random.normal(size=2000)
    texts = [" ".join(random.choice(["one", "two", "three", "red"], 6)) + f" {at % 7}" for at in range(2000)]
    profile = build_profile(
        {"note": texts, "zeta": base, "alpha": base + random.normal(size=2000), "score": random.normal(size=2000)},
        kinds={"note": "text"},
        sides={"score": "prediction"},
        exchangeable=True,
    )
    columns = list(dict.fromkeys(profile.column(item.name) for item in profile.by_column))
    assert columns == ["note", "zeta", "alpha", "score", ""]
    assert sorted(item.name for item in profile.by_column) == sorted(profile.index)
    assert profile.by_column[-1].family == "multivariate"


def test_every_kind_of_problem_has_a_meaning_and_a_remedy() -> None:
    assert set(FINDINGS) == set(get_args(FindingKind))
    assert set(REMEDIES) <= set(REASONS)
    assert remedy("ragged") == OTHER_REMEDY
    assert all(meaning and advice for meaning, advice in FINDINGS.values())


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_every_reason_has_a_remedy(reason: str) -> None:
    assert remedy(reason)
