"""Accepted labels that lead to no loss: counted by reason, and reported in the response."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.reference.build import build_profile
from pilotfish.sidecar.analyzer.counters import LABELS_UNUSED
from pilotfish.sidecar.analyzer.feedback.unused import UNUSED_REASONS
from pilotfish.sidecar.analyzer.pipeline import Pipeline
from pilotfish.sidecar.labels.labels import FeedbackResponse, Label, LabelBatch, request_key
from tests.analyzer.made import SECOND, T0, pipeline, profile, tensor
from tests.support.examples import examples
from tests.support.records import HEADERS, make_record


def regression() -> Profile:
    random = np.random.default_rng(3)
    amount = random.normal(size=2000)
    columns: dict[str, Any] = {"amount": amount, "score": amount, "truth": amount + random.normal(size=2000)}
    return build_profile(columns, sides={"score": "prediction", "truth": "label"}, exchangeable=True, model="m")


REGRESSION = regression()


def served(made: Pipeline, scores: list[object], sequence: int = 1) -> None:
    """Count one exchange with the id `r`."""
    request = json.dumps({"inputs": [tensor("amount", [0.5] * len(scores))]}).encode()
    answer = json.dumps({"outputs": [tensor("score", scores)]}).encode()
    head = HEADERS + b"x-request-id: r\r\n"
    made.handle_record(make_record(sequence, request, answer, at_ns=T0, request_headers=head), T0)


def taken(made: Pipeline, *values: Any, direct: bool = False) -> FeedbackResponse:
    key = 0 if direct else request_key("r")
    labels = [
        Label(row, key, row, value, direct=direct, prediction=0.5 if direct else None)
        for row, value in enumerate(values)
    ]
    return made.take_labels(LabelBatch(tuple(labels)), T0 + SECOND)


def unused(made: Pipeline) -> dict[str, int]:
    return {reason: amount for (reason,), amount in made.counters.of(LABELS_UNUSED).items()}


def test_usable_labels_are_scored_without_a_note() -> None:
    made = pipeline(REGRESSION)
    served(made, [0.1, 0.2])
    answer = taken(made, 0.3, "0.4")
    assert (answer.judged, answer.note, unused(made)) == (2, "", {})


@pytest.mark.parametrize("direct", [False, True])
def test_a_label_that_is_not_a_number_is_not_scored_in_a_regression(direct: bool) -> None:
    made = pipeline(REGRESSION)
    served(made, [0.1, 0.2, 0.3])
    answer = taken(made, "late", 0.4, "early", direct=direct)
    assert (answer.joined + answer.direct, answer.judged) == (3, 1)
    assert unused(made) == {"label_unusable": 2}
    assert "2 label_unusable" in answer.note
    assert "not a number" in answer.note


def test_a_missing_prediction_is_named() -> None:
    made = pipeline(REGRESSION)
    served(made, [None, 0.2])
    assert taken(made, 0.3, 0.4).judged == 1
    assert unused(made) == {"no_prediction": 1}


def test_without_a_profile_or_its_label_column_all_are_unused() -> None:
    made = pipeline()
    served(made, [0.1])
    answer = taken(made, 0.3)
    assert (answer.joined, answer.judged) == (1, 0)
    assert "no profile" in answer.note
    assert unused(made) == {"no_profile": 1}
    made = pipeline(profile())
    served(made, [0.1])
    answer = taken(made, 0.3)
    assert (answer.joined, answer.judged) == (1, 0)
    assert "label column" in answer.note
    assert unused(made) == {"no_label_column": 1}


def test_predictions_of_an_earlier_profile_are_named() -> None:
    made = pipeline(profile())
    served(made, [0.1])
    made.set_profile(REGRESSION)
    answer = taken(made, 0.3)
    assert (answer.joined, answer.judged) == (1, 0)
    assert unused(made) == {"other_profile": 1}


SCALARS = st.one_of(st.booleans(), st.integers(-9, 9), st.floats(), st.text(max_size=5))


@pytest.mark.long
@given(st.lists(SCALARS, min_size=1, max_size=20), st.booleans())
@settings(max_examples=examples(100))
def test_every_accepted_label_is_scored_or_has_a_reason(values: list[Any], direct: bool) -> None:
    made = pipeline(REGRESSION)
    served(made, [0.5] * len(values))
    answer = taken(made, *values, direct=direct)
    assert answer.judged + sum(unused(made).values()) == answer.joined + answer.direct == len(values)
    assert unused(made).keys() <= UNUSED_REASONS.keys()
