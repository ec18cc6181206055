"""Random orders of bytes, FIN and RST in both directions: each one arrives at the other end, as without a proxy."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.conftest import Harness
from tests.integration.test_torture import drain
from tests.integration.wire import Wire, connected, listening
from tests.support.examples import examples
from tests.support.waiting import wait_until

Step = tuple[str, bytes]
PORTIONS = st.sampled_from(
    (b"x", b"POST /v2/models/m/infer HTTP/1.1\r\n", b"\r\n\r\n", b"HTTP/1.1 200 OK\r\n", bytes(70_000))
)


@st.composite
def scripts(draw: Any) -> list[Step]:
    """Draw steps that a direct connection allows: none after a reset, and no bytes after the FIN of their direction."""
    steps: list[Step] = []
    open_directions = {"up", "down"}
    while open_directions:
        direction = draw(st.sampled_from(sorted(open_directions)))
        kind = draw(st.sampled_from(("bytes", "bytes", "bytes", "fin", "rst")))
        if kind == "bytes" and len(steps) < 12:
            steps.append((direction, draw(PORTIONS)))
        elif kind == "rst":
            return [*steps, (f"{direction}_rst", b"")]
        else:
            steps.append((f"{direction}_fin", b""))
            open_directions.remove(direction)
    return steps


def play(wire: Wire, steps: list[Step]) -> None:
    """Play the steps. Each returns when the other end has seen it."""
    for name, data in steps:
        getattr(wire, name)(*([data] if data else []))


@settings(max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=scripts())
def test_random_order_of_bytes_and_ends_arrives(steps: list[Step], harness: Harness) -> None:
    with listening() as listener, connected(listener, listener.getsockname()) as wire:
        play(wire, steps)
    drain(harness.listener)
    before = harness.proxy.page().connections
    with connected(harness.listener, harness.proxy.address) as wire:
        play(wire, steps)
        is_reset = wire.was_reset
    wait_until(lambda: not harness.proxy.page().connections["open"], what="the connection to end")
    after = harness.proxy.page().connections
    assert (after["reset"] - before["reset"], after["ended"] - before["ended"]) == (is_reset, not is_reset)
