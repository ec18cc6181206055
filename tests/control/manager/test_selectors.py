"""Label selectors mean the same here as in the API server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.control.manager.selectors import SelectorError, from_object, from_text

LABELS = {"app": "delays", "tier": "gold", "empty": ""}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("app=delays", True),
        ("app==delays,tier=gold", True),
        ("app=delays,tier=silver", False),
        ("tier!=silver", True),
        ("other!=silver", True),
        ("tier in (gold, silver)", True),
        ("tier notin (gold,silver),app", False),
        ("other notin (gold)", True),
        ("app", True),
        ("!app", False),
        ("!other , app=delays", True),
        ("empty=", True),
        ("empty in (,x)", True),
    ],
)
def test_a_text_selects_the_pods_that_kubectl_would_list(text: str, matches: bool) -> None:
    assert from_text(text).matches(LABELS) is matches


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ({"matchLabels": {"app": "delays"}}, True),
        ({"matchLabels": {"app": "delays"}, "matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["gold"]}]}, True),
        ({"matchExpressions": [{"key": "other", "operator": "NotIn", "values": ["gold"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"app": "delays"}, True),  # a ReplicationController
        ({"app": "other"}, False),
    ],
)
def test_the_selector_of_a_workload_is_read_in_both_forms(selector: dict, matches: bool) -> None:
    assert from_object(selector).matches(LABELS) is matches


@pytest.mark.parametrize(
    "selector", [None, {}, {"matchLabels": {}}, {"matchExpressions": [{"key": "a", "operator": "~"}]}]
)
def test_a_selector_of_all_pods_or_of_an_unknown_operator_is_refused(selector: object) -> None:
    with pytest.raises(SelectorError):
        from_object(selector)


@given(st.text(max_size=40))
def test_any_text_is_a_selector_or_refused(text: str) -> None:
    try:
        found = from_text(text)
    except SelectorError:
        return
    found.matches(LABELS)
