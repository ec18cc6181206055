"""Options from environment variables: names, precedence, conversion, and variables that set nothing."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar import cli
from pilotfish.sidecar.settings import options
from pilotfish.sidecar.settings.environment import VARIABLES

LONG = [name for name, command in cli.COMMANDS.items() if command.logs]


def parser() -> argparse.ArgumentParser:
    """Return a parser with an option of each kind."""
    made = argparse.ArgumentParser(prog="test", exit_on_error=True)
    made.add_argument("--listen", action="append", required=True)
    made.add_argument("-f", "--file", type=Path, dest="document")
    made.add_argument("--drain-seconds", type=float, default=20.0, help="(default %(default)s)")
    made.add_argument("--max-connections", type=int, default=5)
    made.add_argument("--log-format", choices=("text", "json"), default="text")
    made.add_argument("--quick", action="store_true")
    return made


def parsed(*arguments: str, **variables: str) -> argparse.Namespace:
    environ = {f"PILOTFISH_{name}": value for name, value in variables.items()}
    return options.parse(parser(), arguments, environ)[0]


def test_every_kind_of_option_is_set_by_its_variable() -> None:
    found = parsed(
        LISTEN=":80, :81", FILE="m.yaml", DRAIN_SECONDS="2.5", MAX_CONNECTIONS="7", LOG_FORMAT="json", QUICK="true"
    )
    assert found.listen == [":80", ":81"]
    assert (found.document, found.drain_seconds, found.max_connections) == (Path("m.yaml"), 2.5, 7)
    assert (found.log_format, found.quick) == ("json", True)


@pytest.mark.parametrize("text", [":80,:81", ":80 :81", " :80 ,\n:81,"])
def test_values_of_a_repeated_option_are_separated_by_commas_or_spaces(text: str) -> None:
    assert parsed(LISTEN=text).listen == [":80", ":81"]


def test_the_command_line_wins_over_a_variable() -> None:
    found = parsed(
        "--listen", ":1", "-f", "mine.yaml", "--drain-seconds=1", LISTEN=":80,:81", FILE="x", DRAIN_SECONDS="z"
    )
    assert (found.listen, found.document, found.drain_seconds) == ([":1"], Path("mine.yaml"), 1.0)


def test_without_a_variable_or_with_an_empty_one_the_default_holds() -> None:
    found = parsed("--listen", ":1", DRAIN_SECONDS="", FILE="  ", QUICK="no")
    assert (found.drain_seconds, found.document, found.quick, found.max_connections) == (20.0, None, False, 5)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("DRAIN_SECONDS", "soon", "PILOTFISH_DRAIN_SECONDS is 'soon'; give a number"),
        ("MAX_CONNECTIONS", "1.5", "PILOTFISH_MAX_CONNECTIONS is '1.5'; give a whole number"),
        ("LOG_FORMAT", "xml", "PILOTFISH_LOG_FORMAT is 'xml'; give one of text, json"),
        ("QUICK", "perhaps", "PILOTFISH_QUICK is 'perhaps'; give true or false"),
    ],
)
def test_a_bad_value_names_the_variable(capsys: pytest.CaptureFixture[str], name: str, value: str, said: str) -> None:
    with pytest.raises(SystemExit) as ended:
        parsed("--listen", ":1", **{name: value})
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_missing_option_is_still_required(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed(LISTEN="")
    assert "--listen" in capsys.readouterr().err


def test_an_error_found_later_names_the_variable_of_each_option_in_it() -> None:
    given = options.parse(parser(), [], {"PILOTFISH_LISTEN": "x", "PILOTFISH_FILE": "y"})[1]
    assert given.explain("--listen 'x': is not an address") == (
        "--listen 'x': is not an address; --listen is set by PILOTFISH_LISTEN"
    )
    assert given.explain("--listen-more x, a--file") == "--listen-more x, a--file"


def test_the_help_is_the_same_before_and_after() -> None:
    made = parser()
    before = made.format_help()
    options.parse(made, ["--listen", ":1"], {"PILOTFISH_DRAIN_SECONDS": "3"})
    assert made.format_help() == before


@pytest.mark.parametrize("command", LONG)
def test_every_option_of_a_command_that_runs_long_has_a_variable_of_its_own(command: str) -> None:
    found = options.options_of(cli.build_parser(command))
    assert len(set(map(id, found.values()))) == len(found)
    assert not set(found) & set(VARIABLES), "a variable of the document"
    assert "PILOTFISH_LOG_FORMAT" in found


OWN = {"PILOTFISH_LISTEN", "PILOTFISH_UPSTREAM", "PILOTFISH_LOG_LEVEL"}


def unknown(environ: dict[str, str]) -> list[str]:
    return options.unknown_variables(environ, OWN, lambda: {"PILOTFISH_HEALTH"})


def test_an_unknown_variable_is_named_with_the_closest_known_one() -> None:
    (sentence,) = unknown({"PILOTFISH_UPSTREEM": "x", "PILOTFISH_LISTEN": "y", "HOME": "z"})
    assert "'PILOTFISH_UPSTREEM' sets nothing; did you mean PILOTFISH_UPSTREAM?" in sentence
    (sentence,) = unknown({"PILOTFISH_MODEL_NAM": "x"})
    assert "did you mean PILOTFISH_MODEL_NAME?" in sentence
    (sentence,) = unknown({"PILOTFISH_ZZZZZ": "x"})
    assert "known are PILOTFISH_LISTEN, " in sentence


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PILOTFISH_CACHE", "/x"),
        ("PILOTFISH_TEST_PATIENCE", "4"),
        ("PILOTFISH_MODE", "act"),
        ("PILOTFISH_PORT", "tcp://10.1.2.3:9797"),
        ("PILOTFISH_PORT_9797_TCP", "tcp://10.1.2.3:9797"),
        ("PILOTFISH_PORT_9797_TCP_ADDR", "10.1.2.3"),
        ("PILOTFISH_SERVICE_HOST", "10.1.2.3"),
        ("PILOTFISH_CONTROL_SERVICE_PORT", "443"),
        ("PILOTFISH_CONTROL_SERVICE_PORT_HTTPS", "443"),
        ("PILOTFISH_CONTROL_PORT", "udp://10.1.2.3:1"),
    ],
)
def test_variables_that_are_for_others_give_no_warning(name: str, value: str) -> None:
    assert unknown({name: value}) == []
    assert options.without_options({name: value}) == {name: value}


def test_variables_of_other_commands_are_looked_up_only_if_one_is_not_the_commands_own() -> None:
    assert unknown({"PILOTFISH_HEALTH": ":1", "PILOTFISH_LISTEN": ":2"}) == []

    def fail() -> set[str]:
        raise AssertionError

    assert options.unknown_variables({"PILOTFISH_LISTEN": ":2", "PILOTFISH_MODE": "act"}, OWN, fail) == []


def test_a_port_that_kubernetes_did_not_set_gives_a_warning() -> None:
    assert unknown({"PILOTFISH_PORT": "8080"})


def test_a_child_process_gets_no_variable_of_an_option() -> None:
    environ = {"PILOTFISH_LISTEN": ":1", "PILOTFISH_HEALTH": ":2", "PILOTFISH_MODEL_VERSION": "7", "PATH": "/bin"}
    assert options.without_options(environ) == {"PILOTFISH_MODEL_VERSION": "7", "PATH": "/bin"}


@given(st.dictionaries(st.from_regex(r"PILOTFISH_[A-Z_0-9]{0,30}", fullmatch=True), st.text(max_size=20), max_size=5))
def test_any_variables_are_used_named_or_ignored(environ: dict[str, str]) -> None:
    sentences = unknown(environ)
    for name in environ:
        assert sum(repr(name) in sentence for sentence in sentences) <= 1
    assert all(sentence.isprintable() for sentence in sentences)


def attempt(action: Callable[[], object]) -> object:
    try:
        return action()
    except SystemExit as ended:
        return ended.code


@given(st.text(max_size=12), st.sampled_from(["DRAIN_SECONDS", "MAX_CONNECTIONS", "LOG_FORMAT", "FILE"]))
def test_a_variable_gives_the_same_value_as_the_option(text: str, name: str) -> None:
    text = text.strip().replace("\0", "")
    if not text or text == "--":  # argparse of Python 3.11 drops the value of --option=--
        return
    flag = "--" + name.lower().replace("_", "-")
    by_option = attempt(lambda: vars(parsed("--listen=:1", f"{flag}={text}")))
    assert repr(attempt(lambda: vars(parsed("--listen=:1", **{name: text})))) == repr(by_option)
