"""Scripts through the proxy with every write split at random positions."""

from __future__ import annotations

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration import cases_ends, cases_http, cases_opaque
from tests.integration.case import Case
from tests.integration.conftest import Harness
from tests.integration.test_torture import through
from tests.integration.wire import Cut
from tests.support.examples import examples

CASES = [case for case in (*cases_ends.CASES, *cases_http.CASES, *cases_opaque.CASES) if case.lockstep]


def at_random(seed: int) -> Cut:
    """Return a function that splits bytes into pieces of random sizes."""
    sizes = random.Random(seed)

    def cut(data: bytes) -> list[bytes]:
        pieces = []
        while data:
            size = sizes.choice((1, 2, 5, 17, 64, 500, 20_000))
            pieces.append(data[:size])
            data = data[size:]
        return pieces

    return cut


@settings(max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=st.sampled_from(CASES), seed=st.integers(0, 1 << 32))
def test_random_pieces_arrive_as_they_were_sent(case: Case, seed: int, harness: Harness) -> None:
    through(case, harness, at_random(seed))
