"""The kill switch and the pause annotation fail to the safe side."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pilotfish.sidecar.control.manager.switch import PAUSED, KillSwitch, is_paused


@pytest.mark.parametrize(
    ("content", "on"),
    [(b"", True), (b"true\n", True), (b"stop", True), (b"false\n", False), (b"OFF", False), (b"\xff", True)],
)
def test_the_file_stops_actions_unless_it_says_false(tmp_path: Path, content: bytes, on: bool) -> None:
    path = tmp_path / "stop"
    path.write_bytes(content)
    assert KillSwitch(path).on() is on


def test_without_a_file_actions_are_allowed(tmp_path: Path) -> None:
    assert not KillSwitch(None).on()
    assert not KillSwitch(tmp_path / "stop").on()


def test_a_file_that_cannot_be_read_stops_actions_and_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    os.mkfifo(tmp_path / "stop")
    assert KillSwitch(tmp_path / "stop").on()
    assert KillSwitch(tmp_path / "stop").on()
    (line,) = caplog.messages
    assert "cannot be read, so nothing is acted on" in line


@pytest.mark.parametrize(
    ("annotations", "paused"),
    [(None, False), ({}, False), ({PAUSED: "true"}, True), ({PAUSED: "false"}, False), ({PAUSED: ""}, True)],
)
def test_the_annotation_pauses_a_monitor(annotations: dict[str, str] | None, paused: bool) -> None:
    assert is_paused(annotations) is paused
