"""Options from environment variables: `--memory-limit` from `PILOTFISH_MEMORY_LIMIT`, for any parser of a command.

The name follows from the option's long name. The command line wins over a variable, and an empty variable sets nothing.
An option that can be repeated takes several values, separated by commas or white space. Standard library only.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from ..errors import quote_value
from .environment import VARIABLES

PREFIX = "PILOTFISH_"
SWITCHES = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}

# NAME=VALUE of variables that are not for a command: the Makefile's, the tests', and those that Kubernetes sets in each
# container for a Service named pilotfish or pilotfish-something
_FOREIGN = re.compile(
    r"PILOTFISH_(CACHE=|TEST_|(.*_)?SERVICE_(HOST=|PORT[_=])|(.*_)?PORT(_\d+_(TCP|UDP|SCTP)|=\w+://))"
)


@dataclass
class Given:
    """The options that variables set: `names` maps an option such as `--admin` to its variable."""

    names: dict[str, str] = field(default_factory=dict)

    def explain(self, message: str) -> str:
        """Return `message`; if it names an option that a variable has set, add the name of the variable."""
        found = [f"{flag} is set by {name}" for flag, name in self.names.items() if _mentions(message, flag)]
        return "; ".join([message, *found])


class _Unset:
    """The default of an option that a variable sets, to find out whether the command line has it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text


def variable_of(action: argparse.Action) -> str:
    """Return the name of the variable that sets an option; empty for a positional argument and for `--help`."""
    longest = max(action.option_strings, key=len, default="")
    if not longest.startswith("--") or isinstance(action, argparse._HelpAction):  # noqa: SLF001  # no public class
        return ""
    return PREFIX + longest[2:].upper().replace("-", "_")


def options_of(parser: argparse.ArgumentParser, only: Collection[str] | None = None) -> dict[str, argparse.Action]:
    """Return the options of `parser` by variable; `only` lists the options that variables may set, None allows all."""
    found = {}
    for action in parser._actions:  # noqa: SLF001  # argparse has no public list of the options
        if only is None or set(only) & set(action.option_strings):
            found[variable_of(action)] = action
    found.pop("", None)
    return found


def parse(
    parser: argparse.ArgumentParser,
    arguments: Iterable[str],
    environ: Mapping[str, str],
    only: Collection[str] | None = None,
) -> tuple[argparse.Namespace, Given]:
    """Return the parsed `arguments` with the variables of `environ`, and which options the variables have set.

    A value that cannot be used ends the process through `parser.error`, and the message names the variable.
    """
    options = {name: action for name, action in options_of(parser, only).items() if environ.get(name, "").strip()}
    before = {name: (action.default, action.required) for name, action in options.items()}
    try:
        for name, action in options.items():
            action.required = False
            action.default = None if _repeats(action) else _Unset(environ[name].strip())
        args = parser.parse_args(list(arguments))
    finally:
        for name, action in options.items():
            action.default, action.required = before[name]
    given = Given()
    for name, action in options.items():
        if isinstance(getattr(args, action.dest), _Unset | None):
            setattr(args, action.dest, _convert(parser, name, action, environ[name].strip()))
            given.names[max(action.option_strings, key=len)] = name
    return args, given


def without_options(environ: Mapping[str, str]) -> dict[str, str]:
    """Return `environ` without the variables of options, for a child process that gets all options as arguments."""
    return {
        name: value for name, value in environ.items() if not name.startswith(PREFIX) or not _is_option(name, value)
    }


def unknown_variables(
    environ: Mapping[str, str], own: Collection[str], list_others: Callable[[], Collection[str]]
) -> list[str]:
    """Return a sentence for each variable of `environ` with our prefix that sets nothing.

    `own` has the variables of the command. `list_others` returns those of other commands, which may share an
    environment with this one. It is called only if a variable is not the command's own.
    """
    candidates = {name for name, value in environ.items() if name.startswith(PREFIX) and _is_option(name, value)}
    if candidates <= set(own):
        return []
    from difflib import get_close_matches  # not needed by most proxies

    others = list_others()
    names = sorted({*own, *VARIABLES})
    found = []
    for name in sorted(candidates):
        if name not in own and name not in others:
            near = get_close_matches(name[len(PREFIX) :], [known[len(PREFIX) :] for known in names], 1, 0.6)
            hint = f"did you mean {PREFIX}{near[0]}?" if near else f"known are {', '.join(names)}"
            found.append(f"the environment variable {quote_value(name)} sets nothing; {hint}")
    return found


def _is_option(name: str, value: str) -> bool:
    return name not in VARIABLES and not _FOREIGN.match(f"{name}={value}")


def _convert(parser: argparse.ArgumentParser, name: str, action: argparse.Action, text: str) -> object:
    """Return the value that `text` gives to an option, as the command line would."""
    if _repeats(action):
        return [_value(parser, name, action, part) for part in re.split(r"[,\s]+", text) if part]
    if action.nargs == 0:
        if text.lower() not in SWITCHES:
            parser.error(f"{name} is {quote_value(text)}; give true or false")
        return SWITCHES[text.lower()]
    return _value(parser, name, action, text)


def _value(parser: argparse.ArgumentParser, name: str, action: argparse.Action, text: str) -> object:
    kind = action.type if callable(action.type) else str
    try:
        value: object = kind(text)
    except argparse.ArgumentTypeError as error:
        parser.error(f"{name}: {error}")
    except (TypeError, ValueError):
        wanted = "a whole number" if kind is int else "a number"
        parser.error(f"{name} is {quote_value(text)}; give {wanted}")
    if action.choices is not None and value not in action.choices:
        parser.error(f"{name} is {quote_value(text)}; give one of {', '.join(map(str, action.choices))}")
    return value


def _repeats(action: argparse.Action) -> bool:
    return isinstance(action, argparse._AppendAction)  # noqa: SLF001  # no public class


def _mentions(message: str, flag: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", message) is not None
