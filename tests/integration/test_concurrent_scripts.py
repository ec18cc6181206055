"""Many scripts at once: no connection's bytes, end or counts are another's."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from tests.integration import cases_ends, cases_http, cases_opaque
from tests.integration.case import Case
from tests.integration.conftest import Stage
from tests.integration.process import counted, seen
from tests.integration.wire import bytewise, connected, whole

CASES = [case for case in (*cases_ends.CASES, *cases_http.CASES, *cases_opaque.CASES) if case.lockstep]
SCRIPTS, THREADS, SEED = 400, 16, 3


def test_scripts_do_not_touch_each_other(stage: Stage) -> None:
    chosen = random.Random(SEED).choices(CASES, k=SCRIPTS)
    before, connecting = stage.proxy.page(), Lock()

    def play(numbered: tuple[int, Case]) -> None:
        number, case = numbered
        with connecting:  # which connection is whose is known by their order
            opened = connected(stage.listener, stage.proxy.address, bytewise if number % 8 == 0 else whole)
            wire = opened.__enter__()
        try:
            case.play(wire)
        finally:
            opened.__exit__(None, None, None)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(play, enumerate(chosen)))
    after = stage.settled(counted(before) + sum(case.total for case in chosen))
    assert seen(after) - seen(before) == counted(after) - counted(before) == sum(case.total for case in chosen)
    steps = {name: after.connections[name] - before.connections[name] for name in after.connections}
    # a server that resets at once may have done so before its connection is seen to stand: it refused
    assert steps["accepted"] == steps["ended"] + steps["reset"] + steps["refused_upstream"] == SCRIPTS, steps
    assert steps["refused_upstream"] <= sum(case.name == "nothing_sent_then_server_rst" for case in chosen)
    assert steps["opaque"] == sum(case.downgrade is not None for case in chosen)
