"""The supervisor passes every flag on: a child that parses the rendered flags has the same values."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar import cli
from pilotfish.sidecar.errors import UsageError
from pilotfish.sidecar.log import add_log_arguments
from pilotfish.sidecar.proxy.arguments import add_pair_arguments
from pilotfish.sidecar.run.app import analyzer_command, proxy_command
from pilotfish.sidecar.run.arguments import (
    add_analyzer_arguments,
    add_control_arguments,
    check_analyzer_arguments,
    check_control_arguments,
    check_node_arguments,
    memory_size,
    render_flags,
)

PAIR = ["--listen=:1", "--upstream=:2", "--listen=unix:/a b", "--upstream=m:3"]
WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)


def parsed(add_arguments: Callable[[argparse.ArgumentParser], None], words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(words)


@given(st.integers(1, 10**6), st.floats(0, 1e5), WORDS, WORDS, st.integers(0, 1 << 40))
def test_rendered_flags_have_the_same_values(count: int, seconds: float, path: str, admin: str, size: int) -> None:
    args = parsed(add_pair_arguments, [*PAIR, f"--max-connections={count}", f"--drain-seconds={seconds}"])
    assert parsed(add_pair_arguments, render_flags(add_pair_arguments, args)) == args
    args = parsed(add_analyzer_arguments, [f"--file={path}", f"--admin={admin}", f"--memory-limit={size}"])
    assert parsed(add_analyzer_arguments, render_flags(add_analyzer_arguments, args)) == args


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("512Mi", 512 << 20), ("2000Gi", 2000 << 30), ("1073741824Gi", 1 << 60)]
)
def test_sizes_are_bytes_or_have_a_unit(text: str, size: int) -> None:
    assert memory_size(text) == size
    assert memory_size(str(size)) == size


@pytest.mark.parametrize("text", ["", "-1", "x", "1.5Gi", "1M", "9999999999Gi", "٣", "1 Mi"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a size"):
        memory_size(text)


def test_both_children_get_all_flags_that_they_have(tmp_path: Path) -> None:
    args = cli.build_parser("run").parse_args([*PAIR, "--log-format=json", "--log-level=error", "--drain-seconds=3"])
    proxy, analyzer = proxy_command(args, tmp_path), analyzer_command("run", args, tmp_path)
    found = cli.build_parser("proxy").parse_args(proxy[proxy.index("proxy") + 1 :])
    assert (found.listen, found.upstream, found.drain_seconds) == (args.listen, args.upstream, 3)
    for flag in render_flags(add_log_arguments, args):
        assert flag in proxy
        assert flag in analyzer


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--admin=nonsense"], "--admin 'nonsense': has no port"),
        (["--token-file=/nowhere"], "/nowhere"),
        (["--state=/dev/null/x"], "--state '/dev/null/x' cannot be used"),
    ],
)
def test_values_that_cannot_be_used_are_refused_with_the_option(words: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check_analyzer_arguments(parsed(add_analyzer_arguments, words))


CONTROL = [
    "--control=https://control:8443", "--control-token=TOKEN", "--monitor=fraud", "--pod-namespace=shop",
    "--pod-name=m-0", "--pod-uid=0b1c",
]  # fmt: skip


NEEDED = ("--control-token", "--pod-")  # without --monitor, the controller chooses


def control_arguments(words: list[str]) -> argparse.Namespace:
    def add(parser: argparse.ArgumentParser) -> None:
        add_analyzer_arguments(parser)
        add_control_arguments(parser)

    return parsed(add, words)


def test_the_options_of_the_controller_are_passed_on() -> None:
    args = parsed(add_control_arguments, CONTROL)
    assert parsed(add_control_arguments, render_flags(add_control_arguments, args)) == args


@pytest.mark.parametrize(
    "url",
    ["http://control", "https://", "https://control/path", "https://user@control", "https://control:x",
     "https://control:0", "https://control?a=1", "control:8443", "https://control:99999", "https://[::1"],
)  # fmt: skip
def test_an_address_that_is_no_controller_is_refused(url: str) -> None:
    with pytest.raises(SystemExit):
        parsed(add_control_arguments, [f"--control={url}"])


@pytest.mark.parametrize(
    ("url", "kept"),
    [("https://control", "https://control"), ("https://control:8443/", "https://control:8443"),
     ("https://[::1]:8443", "https://[::1]:8443")],
)  # fmt: skip
def test_an_address_of_a_controller_is_kept(url: str, kept: str) -> None:
    assert parsed(add_control_arguments, [f"--control={url}"]).control == kept


@pytest.mark.parametrize("left_out", [index for index, word in enumerate(CONTROL) if word.startswith(NEEDED)])
def test_an_option_that_is_missing_is_named(tmp_path: Path, left_out: int) -> None:
    words = [word for index, word in enumerate(CONTROL) if index != left_out]
    with pytest.raises(UsageError, match=CONTROL[left_out].partition("=")[0]):
        check_control_arguments(control_arguments(words))


def test_options_that_exclude_each_other_are_refused(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("a-pod")
    words = [*CONTROL[:1], f"--control-token={token}", *CONTROL[2:]]
    check_control_arguments(control_arguments(words))
    check_control_arguments(control_arguments([]))
    for more, problem in (
        ([*words, "--file=monitor.yaml"], "exclude each other"),
        ([*words, f"--control-ca={tmp_path}"], "is not a file"),
        ([*words, f"--control-token={tmp_path / 'none'}"], "token file"),
        ([f"--control-token={token}"], "without --control"),
    ):
        with pytest.raises(UsageError, match=problem):
            check_control_arguments(control_arguments(more))


def test_options_of_the_node_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("a-pod")
    token.chmod(0o600)
    words = ["--node=https://pilotfish-node:8443", f"--node-token={token}"]
    check_node_arguments(control_arguments(words))
    check_node_arguments(control_arguments([]))
    for more, problem in (
        (words[:1], "--node-token"),
        (words[1:], "without --node"),
        ([*words, f"--node-ca={tmp_path}"], "is not a file"),
        ([*words, f"--node-token={tmp_path / 'none'}"], "token file"),
    ):
        with pytest.raises(UsageError, match=problem):
            check_node_arguments(control_arguments(more))
    with pytest.raises(UsageError, match="there is no --node"):
        check_analyzer_arguments(control_arguments(["--resources=node"]))
    check_analyzer_arguments(control_arguments(["--resources=node", *words]))


@pytest.mark.parametrize("text", ["GPU-5e2c1d7a-1f2e", "MIG-5e2c/1/0", "all"])
def test_a_gpu_is_named_by_its_uuid(text: str) -> None:
    assert parsed(add_analyzer_arguments, [f"--model-gpu={text}"]).model_gpu == [text]


@pytest.mark.parametrize("text", ["", "0", "GPU", "GPU-", "gpu-1", "GPU-1 2", "every"])
def test_what_is_no_uuid_of_a_gpu_is_refused(text: str) -> None:
    with pytest.raises(SystemExit):
        parsed(add_analyzer_arguments, [f"--model-gpu={text}"])
