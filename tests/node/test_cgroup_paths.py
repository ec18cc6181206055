"""The pod of a cgroup, in every form in which kubelets and runtimes write its path."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.node.cgroup_paths import PodCgroup, Unplaced, parse_path, place_process
from tests.support.examples import examples

UID = "6f0c1a52-3f8e-4d0b-9d3e-0b6c2f1a7e55"
LOW = UID.replace("-", "_")
ID = "ab" * 32
HASH = "4d2c1b0a" * 4
BURSTABLE = "/kubepods.slice/kubepods-burstable.slice"


@pytest.mark.parametrize(
    ("path", "uid", "container"),
    [
        (f"{BURSTABLE}/kubepods-burstable-pod{LOW}.slice/cri-containerd-{ID}.scope", UID, ID),
        (f"/kubepods.slice/kubepods-pod{LOW}.slice/crio-{ID}.scope", UID, ID),
        (f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{LOW}.slice/docker-{ID}.scope", UID, ID),
        (f"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{LOW}.slice/cri-containerd-{ID}.scope", UID, ID),
        (f"/kubepods/burstable/pod{UID}/{ID}", UID, ID),
        (f"/kubepods/pod{UID}/crio-{ID}", UID, ID),
        (f"/custom/kubepods/besteffort/pod{UID}/{ID}/init.scope", UID, ID),
        (f"/system.slice/containerd.service/kubepods-burstable-pod{LOW}.slice:cri-containerd:{ID}", UID, ID),
        (f"/kubepods.slice/kubepods-pod{LOW}.slice/crio-conmon-{ID}.scope", UID, ""),
        (f"{BURSTABLE}/kubepods-burstable-pod{HASH}.slice/cri-containerd-{ID}.scope", HASH, ID),
        (f"/kubepods/burstable/pod{HASH}/{ID}", HASH, ID),
        (f"/../../kubepods-burstable-pod{LOW}.slice/cri-containerd-{ID}.scope", UID, ID),
        (f"/docker/{'cd' * 32}/kubelet/kubepods/pod{UID}/{ID}", UID, ID),
        (f"/kubepods/pod{UID}/{ID}/kubepods/pod{HASH}/{'cd' * 32}", UID, ID),
        (f"/kubepods/pod{UID}", UID, ""),
    ],
)  # fmt: skip
def test_the_pod_of_each_form_is_found(path: str, uid: str, container: str) -> None:
    assert parse_path(path) == PodCgroup(uid, container)


@pytest.mark.parametrize(
    ("memberships", "place"),
    [
        ("0::/system.slice/nvidia-dcgm.service\n", Unplaced.HOST),
        (f"0::/docker/{ID}\n", Unplaced.HOST),
        ("0::/user.slice/user-1000.slice/podman-1.scope\n", Unplaced.HOST),
        ("0::/\n", Unplaced.UNKNOWN),
        ("0::/../../..\n", Unplaced.UNKNOWN),
        ("", Unplaced.UNKNOWN),
        (f"12:pids:/\n4:memory:/kubepods/pod{UID}/{ID}\n0::/\n", PodCgroup(UID, ID)),
    ],
)
def test_a_process_is_in_a_pod_or_on_the_node_or_unknown(memberships: str, place: object) -> None:
    assert place_process(memberships) == place


uids = st.uuids().map(str) | st.text("0123456789abcdef", min_size=32, max_size=32)
ids = st.text("0123456789abcdef", min_size=64, max_size=64)
prefixes = st.sampled_from(["", "/..", "/../..", "/a.slice", "/cluster/nodes", "/docker/" + "cd" * 32])
runtimes = st.sampled_from(["cri-containerd-", "crio-", "docker-", ""])
classes = st.sampled_from(["", "burstable", "besteffort"])


@settings(max_examples=examples(300))
@given(
    uids,
    ids,
    prefixes,
    classes,
    st.sampled_from(["cri-containerd-", "crio-", "docker-", ""]),
    st.booleans(),
    st.booleans(),
)
def test_each_path_that_a_kubelet_writes_gives_its_uid_back(
    uid: str, container: str, prefix: str, quality: str, runtime: str, systemd: bool, nested: bool
) -> None:
    if systemd:
        inner = f"-{quality}" if quality else ""
        middle = f"/kubepods-{quality}.slice" if quality else ""
        path = f"/kubepods.slice{middle}/kubepods{inner}-pod{uid.replace('-', '_')}.slice"
        path += f"/{runtime or 'cri-containerd-'}{container}.scope"
    else:
        path = f"/kubepods{f'/{quality}' if quality else ''}/pod{uid}/{runtime}{container}"
    path = prefix + path + ("/init.scope/worker" if nested else "")
    assert parse_path(path) == PodCgroup(uid, container)
    assert place_process(f"0::{path}\n") == PodCgroup(uid, container)


@settings(max_examples=examples(500))
@given(st.text() | st.text("/pod-_.:sliceckubers0123456789abf", max_size=200))
def test_no_text_raises_or_invents_a_uid(text: str) -> None:
    place = place_process(text)
    if isinstance(place, PodCgroup):
        assert place.uid in text.replace("_", "-")
        assert place.container in text
