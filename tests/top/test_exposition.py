"""Metrics as text become counters, and no text breaks the reader."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.top.exposition import (
    ExpositionError,
    drift_by_monitor,
    is_wanted,
    parse,
    sidecar_metrics,
)
from tests.support.examples import examples
from tests.top.made import ROUTE, exposition, metrics


def test_health_checks_are_in_no_figure() -> None:
    found = metrics(requests=100, failed=3)
    assert list(found.routes) == [ROUTE]
    assert (found.routes[ROUTE].requests, found.routes[ROUTE].failed) == (100, 3)


def test_a_use_that_no_route_has_is_unknown() -> None:
    assert metrics(requests=1).routes[ROUTE].uses == {}
    assert metrics(requests=1, seconds={"cpu": 2.5}).routes[ROUTE].uses == {"cpu": 2.5}


def test_the_costs_of_all_resources_add_up() -> None:
    text = exposition(requests=1) + "".join(
        f'pilotfish_cost_total{{model="m",version="7",route="{ROUTE}",resource="{resource}"}} {cost}\n'
        for resource, cost in (("cpu", 0.5), ("gpu", 2))
    )
    assert sidecar_metrics(parse(text)).routes[ROUTE].uses == {"cost": 2.5}


def test_metrics_of_features_are_not_parsed() -> None:
    assert not is_wanted(b'pilotfish_feature_psi{feature="age"} 0.1')
    assert is_wanted(b"pilotfish_proxy_up 1")
    assert sidecar_metrics(parse("pilotfish_feature_psi{ not a sample\npilotfish_proxy_up 1\n")).up


@pytest.mark.parametrize("text", ["", "<html>", "up 1\n", 'pilotfish_build_info{version="1"} 1\n'])
def test_another_server_is_no_sidecar(text: str) -> None:
    with pytest.raises(ExpositionError, match="not the metrics of a sidecar"):
        sidecar_metrics(parse(text))


def test_names_cannot_control_the_terminal() -> None:
    assert metrics(requests=1, model="a\x1b[2Jb").model == "a·[2Jb"


def test_the_controller_exports_drift_by_monitor_and_version() -> None:
    labels = 'namespace="shop",monitor="delays",model="m",version="7"'
    text = "".join(
        f'pilotfish_drift_evidence_ratio{{{labels},family="{family}"}} {value}\n'
        for family, value in (("inputs", 0.2), ("features", 1.5), ("multivariate", 0.1))
    )
    (found,) = drift_by_monitor(parse(text + f"pilotfish_episodes_open{{{labels}}} 2\n")).items()
    assert found[0] == ("shop", "delays", "7")
    assert (found[1].evidence, found[1].episodes) == (1.5, 2)


@settings(max_examples=examples(300))
@given(st.lists(st.tuples(st.integers(0, 700), st.sampled_from(list('{}",=\\ \n#eN\x00é'))), max_size=8))
def test_damaged_metrics_are_refused_or_read(changes: list[tuple[int, str]]) -> None:
    text = list(exposition(requests=5, seconds={"gpu": 1}, evidence=0.5))
    for place, character in changes:
        text[place % len(text)] = character
    try:
        found = sidecar_metrics(parse("".join(text)))
    except ExpositionError:
        return
    assert found.model.isprintable()
    assert all(route.isprintable() for route in found.routes)
