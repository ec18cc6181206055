"""Ticks that the controller does not acknowledge are kept for an hour, and belong to one pod and one tick length."""

from __future__ import annotations

import pytest

from pilotfish.sidecar.analyzer.sync import unacknowledged
from pilotfish.sidecar.analyzer.sync.requests import build_requests
from pilotfish.sidecar.sync.messages import MAX_TICKS
from tests.analyzer.made import TICK, profile
from tests.analyzer.sync.pods import OPTIONS, CountingPod

HOUR = round(3600 / TICK)  # ticks


def counted(pod: CountingPod, ticks: int) -> None:
    for _ in range(ticks):
        pod.send(1)
        pod.pass_time(1)
    pod.pass_time(1)
    pod.save()


@pytest.mark.long
def test_ticks_older_than_an_hour_are_dropped_oldest_first_and_counted() -> None:
    pod = CountingPod(profile())
    counted(pod, HOUR + 10)
    found = pod.published.sync
    assert found is not None
    assert len(found.ticks) == HOUR
    assert found.dropped == 10
    assert found.ticks[0].tick == found.ticks[-1].tick - HOUR + 1


def test_many_ticks_are_sent_in_several_requests_of_which_only_the_last_one_is_complete() -> None:
    pod = CountingPod(profile())
    counted(pod, HOUR)
    requests = build_requests(OPTIONS, pod.published, generation=7)
    assert [len(request.ticks) for request in requests] == [MAX_TICKS, HOUR - MAX_TICKS]
    assert requests[0].complete_through == requests[1].ticks[0].tick - 1
    assert pod.published.sync is not None
    assert requests[1].complete_through == pod.published.sync.complete_through
    assert {request.generation for request in requests} == {7}


def test_more_bytes_than_a_checkpoint_should_have_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unacknowledged, "KEPT_BYTES", 200)
    pod = CountingPod(profile())
    counted(pod, 50)
    found = pod.published.sync
    assert found is not None
    assert sum(len(item.counts) for item in found.ticks) <= 200
    assert found.dropped == 50 - len(found.ticks) > 0


def test_the_ticks_of_another_pod_are_not_sent_as_those_of_this_one() -> None:
    pod = CountingPod(profile())
    counted(pod, 3)
    before = pod.published.sync
    pod.uid = "uid-1"
    pod.restart(profile())
    found = pod.published.sync
    assert before is not None
    assert found is not None
    assert (found.ticks, found.dropped) == ((), 3)
    assert found.epoch != before.epoch


def test_a_pod_without_traffic_reports_that_its_ticks_are_complete() -> None:
    pod = CountingPod(profile())
    pod.pass_time(0)
    pod.pass_time(5)
    assert pod.save().sync is not None
    first = pod.save().sync
    pod.pass_time(5)
    second = pod.save().sync
    assert first is not None
    assert second is not None
    assert second.complete_through == first.complete_through + 5


def test_a_restart_waits_for_the_queue_of_the_proxy_before_it_closes_empty_ticks() -> None:
    pod = CountingPod(profile())
    counted(pod, 2)
    pod.restart(profile())
    pod.pass_time(50)  # the process was away; the records of this time arrive now
    pod.send(3, ago=20.0)
    pod.pass_time(1)
    found = pod.save().sync
    assert found is not None
    assert found.ticks[-1].tick == round(pod.now_ns / 1e9 / TICK) - 21
