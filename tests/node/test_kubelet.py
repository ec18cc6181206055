"""A kubelet that is absent, hangs, refuses, or is restarted: named, within the deadline, and asked again."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from pathlib import Path

import grpc
import pytest

from pilotfish.sidecar.node.allocations import Device
from pilotfish.sidecar.node.kubelet import KEPT_SECONDS, MOST_BYTES, KubeletSource
from pilotfish.sidecar.node.problems import NodeReason
from tests.node.kubelets import FakeKubelet, pod, serving
from tests.support.waiting import patient

OWNER = ("models", "m")
GPU = Device("nvidia.com/gpu", "GPU-0")


class Clock:
    """Seconds of a test."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def asked(source: KubeletSource) -> NodeReason | None:
    asyncio.run(source.refresh())
    return source.problem.reason if source.problem is not None else None


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kubelet.sock"


def test_the_devices_of_pods_are_read_from_the_socket(path: Path) -> None:
    given = [{"resource_name": "nvidia.com/gpu", "device_ids": ["GPU-0", "GPU-1"]}]
    kubelet = FakeKubelet([pod("m", {"nvidia.com/gpu": ["GPU-0"]}), pod("idle", {})], given)
    source = KubeletSource(path)
    with serving(kubelet, path):
        assert asked(source) is None
    assert dict(source.allocations.pods) == {OWNER: {GPU}}
    assert len(source.allocations.allocatable) == 2
    assert source.counts == {("List", "answered"): 1, ("GetAllocatableResources", "answered"): 1}


def test_an_absent_kubelet_is_named_at_once(path: Path) -> None:
    source = KubeletSource(path)
    assert asked(source) is NodeReason.KUBELET_ABSENT
    path.write_text("")
    assert asked(source) is NodeReason.KUBELET_ABSENT


def test_a_socket_without_a_process_is_an_absent_kubelet(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    assert asked(KubeletSource(path)) is NodeReason.KUBELET_ABSENT


@pytest.mark.long
def test_a_kubelet_that_hangs_costs_one_deadline(path: Path) -> None:
    source = KubeletSource(path, deadline=0.2)
    with serving(FakeKubelet(hang=True), path):
        began = time.monotonic()
        assert asked(source) is NodeReason.KUBELET_HUNG
        assert time.monotonic() - began < patient(5)


@pytest.mark.parametrize("code", [grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.INTERNAL])
def test_an_error_of_the_kubelet_is_named(path: Path, code: grpc.StatusCode) -> None:
    source = KubeletSource(path)
    with serving(FakeKubelet(code=code), path):
        assert asked(source) is NodeReason.KUBELET_FAILED
    assert source.problem is not None
    assert code.name in source.problem.text


def test_devices_are_kept_while_the_kubelet_is_restarted_and_dropped_later(path: Path) -> None:
    clock, kubelet = Clock(), FakeKubelet([pod("m", {"nvidia.com/gpu": ["GPU-0"]})])
    source = KubeletSource(path, clock=clock)
    with serving(kubelet, path):
        assert asked(source) is None
    assert asked(source) is NodeReason.KUBELET_ABSENT
    assert dict(source.allocations.pods) == {OWNER: {GPU}}
    clock.now = KEPT_SECONDS + 1
    assert asked(source) is NodeReason.KUBELET_ABSENT
    assert dict(source.allocations.pods) == {}
    with serving(kubelet, path):
        assert asked(source) is None
    assert dict(source.allocations.pods) == {OWNER: {GPU}}


@pytest.mark.parametrize(
    "raw",
    [b"\xff" * 40, b"\x0a\x05\x0a\x03\xff\xfe\xfd", b"\x0a\xff\xff\xff\xff\x0f", bytes(MOST_BYTES + 1)],
    ids=["garbage", "a name that is no text", "a length beyond the end", "too long"],
)
def test_an_answer_that_cannot_be_read_is_named_and_devices_are_kept(path: Path, raw: bytes) -> None:
    kubelet = FakeKubelet([pod("m", {"nvidia.com/gpu": ["GPU-0"]})])
    source = KubeletSource(path)
    with serving(kubelet, path):
        assert asked(source) is None
        kubelet.raw = raw
        assert asked(source) is NodeReason.KUBELET_FAILED
        assert dict(source.allocations.pods) == {OWNER: {GPU}}
        kubelet.raw = None
        assert asked(source) is None


def test_thousands_of_pods_are_read(path: Path) -> None:
    kubelet = FakeKubelet([pod(f"m{number}", {"nvidia.com/gpu": [f"GPU-{number}"] * 2}) for number in range(2000)])
    source = KubeletSource(path)
    with serving(kubelet, path):
        assert asked(source) is None
    assert len(source.allocations.pods) == 2000


def test_a_socket_that_may_not_be_opened_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with serving(FakeKubelet(), path):
        assert asked(KubeletSource(path)) is NodeReason.KUBELET_DENIED
