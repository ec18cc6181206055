"""The connections of the admin address leave descriptors for the analyzer itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.serving.connections import (
    BACKLOG,
    MAX_CONNECTIONS,
    OWN_DESCRIPTORS,
    share_descriptors,
)


@pytest.mark.parametrize("limit", [-1, 1024, 1 << 30])
def test_usual_limits_allow_all_connections(limit: int) -> None:
    backlog, allowed = share_descriptors(limit)
    assert backlog == BACKLOG
    assert allowed >= MAX_CONNECTIONS


@given(st.integers(OWN_DESCRIPTORS + 2, 2000))
def test_backlog_and_connections_leave_the_analyzers_own(limit: int) -> None:
    backlog, connections = share_descriptors(limit)
    assert backlog + connections + OWN_DESCRIPTORS <= limit
    assert min(backlog, connections) >= 1


@given(st.integers(0, OWN_DESCRIPTORS + 2))
def test_a_limit_below_the_analyzers_own_still_allows_a_connection(limit: int) -> None:
    assert share_descriptors(limit) == (1, 1)
