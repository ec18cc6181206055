"""The command `pilotfish completion`: prints a script that completes commands and options in a shell.

The script is generated from the parsers, and does not call `pilotfish`: completion is immediate, and no command becomes
slower. After an update, generate it again. docs/operations.md shows how to install it.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import cli
from .terminal import show

PROGRAM = "pilotfish"
FOLDER = "DIR"  # the metavar of options that take a folder


@dataclass(frozen=True, slots=True)
class Word:
    """A command or an option, with its help in one line.

    `values` is what follows an option: "" nothing, "text", "file", "folder", or words separated by spaces.
    """

    names: tuple[str, ...]
    help: str
    values: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """The words that may follow a command, such as ` profile build`; `files` if it takes files by position."""

    path: str
    commands: tuple[Word, ...]
    options: tuple[Word, ...]
    files: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `pilotfish completion`."""
    parser.add_argument("shell", choices=tuple(SHELLS), help="the shell: " + ", ".join(SHELLS))


def run(args: argparse.Namespace) -> int:
    """Print the script for one shell."""
    show(*SHELLS[args.shell](tuple(places())))
    return 0


def places() -> Iterator[Place]:
    """Yield the start of a command line, and each command with its sub-commands."""
    named = (Word((name,), command.help) for name, command in cli.COMMANDS.items())
    yield Place(
        "", tuple(named), (Word(("-h", "--help"), "list the commands"), Word(("--version",), "show the version"))
    )
    for name in cli.COMMANDS:
        yield from _places(cli.build_parser(name), f" {name}")


def _places(parser: argparse.ArgumentParser, path: str) -> Iterator[Place]:
    commands, options, files, below = list[Word](), list[Word](), False, list[Place]()
    for action in parser._actions:  # noqa: SLF001  # argparse has no public list of the options
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001  # no public class
            for choice in action._choices_actions:  # noqa: SLF001  # the help of each choice
                commands.append(Word((choice.dest,), choice.help or ""))
                below += _places(action.choices[choice.dest], f"{path} {choice.dest}")
        elif action.option_strings:
            options.append(Word(tuple(action.option_strings), action.help or "", _values(action)))
        elif action.choices:
            commands += [Word((str(choice),), "") for choice in action.choices]
        else:
            files = True
    yield Place(path, tuple(commands), tuple(options), files)
    yield from below


def _values(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    if action.choices:
        return " ".join(map(str, action.choices))
    if action.type is not Path:
        return "text"
    return "folder" if action.metavar == FOLDER else "file"


def _bash(found: tuple[Place, ...]) -> Iterator[str]:
    """Yield the script for bash."""
    yield f"# bash completion for {PROGRAM}, written by `{PROGRAM} completion bash`"
    yield f"_{PROGRAM}() {{"
    yield '    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} place="" word words="" files="" i'
    yield "    if [[ $cur == '=' ]]; then cur=''; elif [[ $prev == '=' ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi"
    yield from _walk(found, "    ", "for ((i = 1; i < COMP_CWORD; i++)); do", "${COMP_WORDS[i]}")
    yield from _after_option(
        found,
        {
            "text": "return",
            "file": 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return',
            "folder": 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return',
        },
        'mapfile -t COMPREPLY < <(compgen -W "{words}" -- "$cur"); return',
    )
    yield '    case "$place" in'
    for place in found:
        words = " ".join(_offered(place))
        yield f"        {shlex.quote(place.path)}) words={shlex.quote(words)}{' files=1' * place.files} ;;"
    yield "    esac"
    yield '    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")'
    yield "    if [[ -n $files && $cur != -* ]]; then"
    yield "        compopt -o filenames"
    yield '        mapfile -t COMPREPLY < <(compgen -f -- "$cur")'
    yield "    fi"
    yield "}"
    yield f"complete -F _{PROGRAM} {PROGRAM}"


def _zsh(found: tuple[Place, ...]) -> Iterator[str]:
    """Yield the script for zsh."""
    yield f"#compdef {PROGRAM}"
    yield f"# zsh completion for {PROGRAM}, written by `{PROGRAM} completion zsh`"
    yield f"_{PROGRAM}() {{"
    yield '    local place="" word prev=${words[CURRENT-1]} files="" i'
    yield "    local -a offered"
    yield "    if [[ $PREFIX == --*=* ]]; then prev=${PREFIX%%=*}; compset -P '*='; fi"
    yield from _walk(found, "    ", "for ((i = 2; i < CURRENT; i++)); do", "${words[i]}")
    yield from _after_option(found, {"text": "return", "file": "_files; return", "folder": "_files -/; return"},
                             "compadd -- {words}; return")  # fmt: skip
    yield '    case "$place" in'
    for place in found:
        described = " ".join(shlex.quote(f"{name}:{_line(word.help)}") for word in _words(place) for name in word.names)
        yield f"        {shlex.quote(place.path)}) offered=({described}){' files=1' * place.files} ;;"
    yield "    esac"
    yield '    if [[ -n $files && $PREFIX != -* ]]; then _files; else _describe -o "argument" offered; fi'
    yield "}"
    yield f'if [[ "$funcstack[1]" == _{PROGRAM} ]]; then _{PROGRAM} "$@"; else compdef _{PROGRAM} {PROGRAM}; fi'


def _fish(found: tuple[Place, ...]) -> Iterator[str]:
    """Yield the script for fish."""
    yield f"# fish completion for {PROGRAM}, written by `{PROGRAM} completion fish`"
    yield f"function __{PROGRAM}_at"
    yield '    set -l place ""'
    yield "    set -l given (commandline -opc)"
    yield "    for word in $given[2..]"
    yield '        switch "$place $word"'
    yield f"            case {' '.join(shlex.quote(place.path) for place in found if place.path)}"
    yield '                set place "$place $word"'
    yield "        end"
    yield "    end"
    yield '    test "$place" = "$argv[1]"'
    yield "end"
    yield f"complete -c {PROGRAM} -e"
    yield f"complete -c {PROGRAM} -f"
    for place in found:
        start = f"complete -c {PROGRAM} -n {shlex.quote(f'__{PROGRAM}_at {shlex.quote(place.path)}')}"
        if place.files:
            yield f"{start} -F"
        for word in place.commands:
            yield f"{start} -a {word.names[0]} -d {shlex.quote(_line(word.help))}"
        for word in place.options:
            names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in word.names)
            takes = {"": "", "text": " -x", "file": " -r -F", "folder": " -x -a '(__fish_complete_directories)'"}
            value = takes.get(word.values, f" -x -a {shlex.quote(word.values)}")
            yield f"{start} {names}{value} -d {shlex.quote(_line(word.help))}"


def _walk(found: tuple[Place, ...], indent: str, loop: str, word: str) -> Iterator[str]:
    """Yield the lines that follow the words before the cursor to their place."""
    paths = "|".join(shlex.quote(place.path) for place in found if place.path)
    yield f"{indent}{loop}"
    yield f'{indent}    word="{word}"'
    yield f'{indent}    case "$place $word" in'
    yield f'{indent}        {paths}) place="$place $word" ;;'
    yield f"{indent}    esac"
    yield f"{indent}done"


def _after_option(found: tuple[Place, ...], actions: Mapping[str, str], words: str) -> Iterator[str]:
    """Yield the lines that complete the value of an option; `words` is the action for a choice of words."""
    yield '    case "$place $prev" in'
    for place in found:
        for option in place.options:
            if option.values:
                names = "|".join(shlex.quote(f"{place.path} {name}") for name in option.names)
                yield f"        {names}) {actions.get(option.values) or words.format(words=option.values)} ;;"
    yield "    esac"


def _words(place: Place) -> tuple[Word, ...]:
    return (*place.commands, *place.options)


def _offered(place: Place) -> Iterator[str]:
    for word in _words(place):
        yield from word.names


def _line(text: str) -> str:
    """Return a help text for a list of words: on one line, without what `argparse` would fill in."""
    return " ".join(text.partition(" (default")[0].split()).replace(":", ",").replace("%%", "%")


SHELLS: Mapping[str, Callable[[tuple[Place, ...]], Iterator[str]]] = {"bash": _bash, "fish": _fish, "zsh": _zsh}
