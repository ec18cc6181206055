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
from pilotfish.sidecar.run.arguments import add_analyzer_arguments, check_analyzer_arguments, memory_size, render_flags

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
