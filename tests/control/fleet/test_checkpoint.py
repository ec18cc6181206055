from __future__ import annotations

import zlib
from functools import cache

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.detectors.errors import StateError
from pilotfish.detectors.settings import DriftSettings
from pilotfish.sidecar.control.fleet import checkpoint
from pilotfish.sidecar.control.fleet.detector import FleetDetector
from pilotfish.sidecar.control.fleet.rules import FleetRules
from pilotfish.sidecar.control.fleet.watermark import ExpectedPods
from pilotfish.sidecar.sync.messages import Acknowledgement
from tests.control.fleet.simulated import SETTINGS, START, counts_of, end_of, rows, small_profile
from tests.support.examples import examples

PROFILE = small_profile()
COUNTS = counts_of(PROFILE, rows(np.random.default_rng(1), 5))
NOW = end_of(START) + 3
ACKNOWLEDGED = (Acknowledgement(tick=START, sequence=5),)


def fleet_of(rules: FleetRules | None = None, *, pods: int = 1) -> FleetDetector:
    """Return a fleet whose pods have sent their counts of START."""
    fleet = FleetDetector(PROFILE, SETTINGS, "v1", rules=rules)
    for pod in range(pods):
        fleet.receive(str(pod), "1", [(START, 5, COUNTS)], START, NOW)
    return fleet


def restored(data: bytes, rules: FleetRules | None = None) -> FleetDetector:
    return FleetDetector.from_state(PROFILE, SETTINGS, data, rules=rules)


def test_nothing_is_acknowledged_before_a_state_with_it_is_stored() -> None:
    fleet = fleet_of()
    assert fleet.acknowledge("0") == ()
    fleet.state()
    assert fleet.acknowledge("0") == ()
    fleet.checkpointed(fleet.revision)
    assert fleet.acknowledge("0") == ACKNOWLEDGED
    fleet.receive("0", "1", [(START, 6, COUNTS), (START + 1, 5, COUNTS)], START, NOW)
    assert fleet.acknowledge("0") == ()


def test_a_state_that_could_not_be_stored_acknowledges_nothing() -> None:
    fleet = fleet_of()
    fleet.state()
    failed = fleet.revision
    fleet.receive("0", "1", [(START + 1, 5, COUNTS)], START, NOW)
    fleet.state()
    fleet.checkpointed(failed)  # the first one was stored after all
    assert fleet.acknowledge("0") == ()
    fleet.receive("0", "1", [(START, 5, COUNTS)], START, NOW)
    assert fleet.acknowledge("0") == ACKNOWLEDGED


def test_acknowledgements_concern_the_epoch_that_asks() -> None:
    fleet = fleet_of()
    fleet.state()
    fleet.checkpointed(fleet.revision)
    fleet.receive("0", "2", [(START, 5, COUNTS)], START, NOW)
    assert fleet.acknowledge("0") == ()


def test_what_comes_too_late_may_be_forgotten_once_the_closing_is_stored() -> None:
    fleet = fleet_of()
    fleet.advance(NOW, ExpectedPods())
    fleet.receive("late", "1", [(START, 5, COUNTS)], START, NOW)
    assert fleet.acknowledge("late") == ()
    fleet.state()
    fleet.checkpointed(fleet.revision)
    assert fleet.acknowledge("late") == ACKNOWLEDGED


def test_the_next_leader_acknowledges_what_it_has_loaded_and_counts_nothing_twice() -> None:
    fleet = restored(fleet_of(pods=2).state())
    fleet.receive("0", "1", [(START, 5, COUNTS)], START, NOW)
    assert fleet.acknowledge("0") == ACKNOWLEDGED
    fleet.advance(NOW, ExpectedPods())
    again = restored(fleet.state())
    again.receive("1", "1", [(START, 5, COUNTS)], START, NOW)
    assert again.acknowledge("1") == ACKNOWLEDGED
    assert again.status().refused == {}
    newest = again.monitor.windows.newest
    assert newest is not None
    assert newest.rows["input"] == 10


def test_counts_beyond_the_size_of_a_checkpoint_are_left_to_the_pods() -> None:
    rules = FleetRules(stored_bytes=3 * fleet_of().status().monitor.ticks_closed + 400)
    fleet = fleet_of(rules, pods=20)
    data = fleet.state()
    fleet.checkpointed(fleet.revision)
    kept = [pod for pod in range(20) if fleet.acknowledge(str(pod))]
    assert 0 < len(kept) < 20
    expected = ExpectedPods({str(pod): 0.0 for pod in range(20)})
    again = restored(data, rules)
    assert START not in [result.tick for result in again.advance(NOW, expected)]
    for pod in set(range(20)) - set(kept):
        again.receive(str(pod), "1", [(START, 5, COUNTS)], START, NOW)
    assert again.advance(NOW, expected)[-1].tick == START
    assert again.monitor.state() == _closed(fleet, expected).monitor.state()


def _closed(fleet: FleetDetector, expected: ExpectedPods) -> FleetDetector:
    fleet.advance(NOW, expected)
    return fleet


def test_a_new_leader_waits_for_all_pods_again_before_a_quorum_is_enough() -> None:
    rules = FleetRules(grace=90.0)
    expected = ExpectedPods({str(pod): 0.0 for pod in range(6)})
    fleet = restored(FleetDetector(PROFILE, SETTINGS, rules=rules).state(), rules)
    late = NOW + 1000
    for pod in range(5):
        fleet.receive(str(pod), "1", [(START, 5, COUNTS)], START, late)
    assert fleet.advance(late + 89, expected) == []
    assert START in [result.tick for result in fleet.advance(late + 90, expected)]


def test_the_same_state_has_the_same_bytes_whatever_the_order_of_the_reports() -> None:
    one, other = FleetDetector(PROFILE, SETTINGS, "v1"), FleetDetector(PROFILE, SETTINGS, "v1")
    for fleet, order in (one, "abc"), (other, "cbab"):
        for pod in order:
            fleet.receive(pod, "1", [(START, 5, COUNTS)], START, NOW)
    assert one.state() == other.state()
    assert restored(one.state()).state() == one.state()
    assert restored(one.state()).version == "v1"


def test_a_state_of_another_profile_or_tick_length_is_refused() -> None:
    data = fleet_of().state()
    with pytest.raises(StateError, match="belongs to profile"):
        FleetDetector.from_state(small_profile(2), SETTINGS, data)
    with pytest.raises(StateError, match=r"ticks of 60 s, not 30 s"):
        FleetDetector.from_state(PROFILE, DriftSettings(tick_seconds=30), data)


@cache
def state_bytes() -> bytes:
    fleet = fleet_of(pods=3)
    fleet.advance(NOW, ExpectedPods())
    fleet.receive("0", "1", [(START + 1, 5, COUNTS)], START, NOW)
    return fleet.state()


@given(st.data())
def test_a_damaged_state_is_refused(data: st.DataObject) -> None:
    whole = state_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    flipped = bytes([whole[at] ^ data.draw(st.integers(1, 255))])
    for damaged in (whole[:at], whole[:at] + flipped + whole[at + 1 :]):
        with pytest.raises(StateError):
            restored(damaged)


@settings(max_examples=examples(40), deadline=None)
@given(st.data())
def test_a_state_with_a_valid_checksum_and_any_other_value_is_read_or_refused(data: st.DataObject) -> None:
    """A release with a fault may write such states; they raise StateError and nothing else."""
    state = msgspec.to_builtins(checkpoint.parse(state_bytes()), builtin_types=(bytes,))
    name = data.draw(st.sampled_from(sorted(state)))
    plain = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3) | st.binary(max_size=9)
    nested = st.recursive(
        plain, lambda of: st.lists(of, max_size=3) | st.dictionaries(st.integers(0, 3), of, max_size=2)
    )
    state[name] = data.draw(nested)
    raw = checkpoint._SEALED.wrap(zlib.compress(msgspec.msgpack.encode(state)))
    try:
        restored(raw).advance(NOW + 60, ExpectedPods())
    except StateError:
        pass
