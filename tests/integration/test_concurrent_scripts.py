"""Many scripts at once: the bytes, ends and counts of connections are not mixed up."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import pytest

from tests.integration import cases_ends, cases_http, cases_opaque
from tests.integration.case import Case
from tests.integration.conftest import Harness
from tests.integration.process import counted, seen
from tests.integration.wire import bytewise, connected, whole

CASES = [case for case in (*cases_ends.CASES, *cases_http.CASES, *cases_opaque.CASES) if case.lockstep]
SCRIPTS, THREADS, SEED = 400, 16, 3


@pytest.mark.long
def test_concurrent_scripts_do_not_affect_each_other(harness: Harness) -> None:
    chosen = random.Random(SEED).choices(CASES, k=SCRIPTS)
    before, connecting = harness.proxy.page(), Lock()

    def play(numbered: tuple[int, Case]) -> None:
        number, case = numbered
        with connecting:  # the order of connecting assigns each accepted connection to its script
            opened = connected(harness.listener, harness.proxy.address, bytewise if number % 8 == 0 else whole)
            wire = opened.__enter__()
        try:
            case.play(wire)
        finally:
            opened.__exit__(None, None, None)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(play, enumerate(chosen)))
    after = harness.settled(counted(before) + sum(case.total for case in chosen))
    assert seen(after) - seen(before) == counted(after) - counted(before) == sum(case.total for case in chosen)
    steps = {name: after.connections[name] - before.connections[name] for name in after.connections}
    # a server that resets at once may do so before the proxy has seen the connection succeed: that counts as refused
    assert steps["accepted"] == steps["ended"] + steps["reset"] + steps["refused_upstream"] == SCRIPTS, steps
    assert steps["refused_upstream"] <= sum(case.name == "nothing_sent_then_server_rst" for case in chosen)
    assert steps["opaque"] == sum(case.downgrade is not None for case in chosen)
