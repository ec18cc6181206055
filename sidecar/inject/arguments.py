"""Ports in the command, the arguments and the variables of a container: where they are, and how they change.

A word that is a script of a shell stays whole: a port in it changes only if its flag occurs exactly once.
"""

from __future__ import annotations

import dataclasses
import os.path
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .context import Json
from .operations import Path
from .pod import words_of

_SHELLS = frozenset({"ash", "bash", "dash", "sh", "zsh"})
_SCRIPT_OPTION = re.compile(r"-[a-z]*c")
_COMPOUND = re.compile(r"[;&|<>`()#\n\\]|[\"']\s*$")  # another command may follow, or a quotation ends the script
_REFERENCE = re.compile(r"\$\(([A-Za-z_][\w.-]*)\)")


class UnclearError(Exception):
    """The words do not say for certain where the port is. The text continues a sentence."""


@dataclass(frozen=True)
class PortSetting:
    """A place that sets a port by the flag or variable `name`: `path` below the container, and the text around it."""

    name: str
    path: Path
    number: int
    before: str
    after: str = ""

    def with_number(self, number: int) -> str:
        """Return the value that sets another port."""
        return f"{self.before}{number}{self.after}"


def find_program(words: Sequence[str], program: Sequence[str]) -> int:
    """Return the position of the words that start `program`, also in a script of a shell, or -1."""
    script = _script(words)
    if script is not None:
        pattern = r"(?:^|[\s;&|/])" + r"\s+".join(map(re.escape, program)) + r"(?=[\s;&|]|$)"
        found = re.search(pattern, words[script])
        return found.start() if found else -1
    plain = [
        os.path.basename(word) if index == 0 or not word.startswith("-") else word for index, word in enumerate(words)
    ]
    size = len(program)
    return next((at for at in range(len(plain)) if plain[at : at + size] == [*program]), -1)


def is_shell(words: Sequence[str]) -> bool:
    """Return whether `words` start a shell with a script."""
    return _script(words) is not None


def appendable_script(container: Json) -> Path | None:
    """Return the path of a shell's script if it is one simple command, so that an argument at its end reaches it."""
    words = words_of(container)
    script = _script(words)
    if script is None or _COMPOUND.search(words[script].strip()) or len(words) > script + 1:
        return None
    return _paths(container)[script]


def find_flag(container: Json, flags: Sequence[str], *, is_address: bool) -> PortSetting | None:
    """Return where one of `flags` sets a port, or None. Raises UnclearError, such as for a flag that occurs twice."""
    words = words_of(container)
    script = _script(words)
    paths = _paths(container)
    if script is not None:
        found = list(_in_script(words[script], paths[script], flags, is_address=is_address))
    else:
        found = list(_in_words(words, paths, flags, variables_of(container), is_address=is_address))
    if len(found) > 1:
        raise UnclearError(f"the flag {flags[0]} occurs more than once")
    return found[0] if found else None


def find_variable(container: Json, name: str, *, is_address: bool) -> PortSetting | None:
    """Return where the variable `name` sets a port, or None. Raises UnclearError for a value that is no port."""
    for index, item in enumerate(container.get("env") or ()):
        if item.get("name") == name:
            return _setting(("env", index, "value"), "", str(item.get("value") or ""), name, is_address=is_address)
    return None


def variables_of(container: Json) -> dict[str, str]:
    """Return the variables of a container that have a literal value."""
    return {
        item["name"]: str(item.get("value") or "") for item in container.get("env") or () if "valueFrom" not in item
    }


def resolve(value: str, variables: Mapping[str, str]) -> str:
    """Return `value` with its references such as $(PORT) replaced, as the kubelet does."""
    return _REFERENCE.sub(lambda found: variables.get(found[1], found[0]), value)


def flag_values(container: Json, flags: Sequence[str]) -> list[str]:
    """Return the values of `flags` in the words of a container that starts no shell."""
    words, found = words_of(container), []
    variables = variables_of(container)
    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in flags:
            found.append(resolve(value if equals else "".join(words[index + 1 : index + 2]), variables))
    return [] if is_shell(words) else found


def _script(words: Sequence[str]) -> int | None:
    """Return the position of the script that the words give to a shell, or None."""
    for index, word in enumerate(words):
        if os.path.basename(word) in _SHELLS:
            options = (at for at in range(index + 1, len(words) - 1) if _SCRIPT_OPTION.fullmatch(words[at]))
            return next((at + 1 for at in options), None)
    return None


def _paths(container: Json) -> list[Path]:
    return [(side, index) for side in ("command", "args") for index in range(len(container.get(side) or ()))]


def _in_words(
    words: Sequence[str], paths: Sequence[Path], flags: Sequence[str], variables: Mapping[str, str], *, is_address: bool
) -> list[PortSetting]:
    found = []
    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in flags and equals:
            found.append(_setting(paths[index], f"{name}=", resolve(value, variables), name, is_address=is_address))
        elif word in flags and index + 1 < len(words):
            value = resolve(words[index + 1], variables)
            found.append(_setting(paths[index + 1], "", value, word, is_address=is_address))
        elif word[:2] in flags and word[:2] != "--" and len(word) > 2:
            found.append(_setting(paths[index], word[:2], word[2:], word[:2], is_address=is_address))
    return found


def _in_script(script: str, path: Path, flags: Sequence[str], *, is_address: bool) -> list[PortSetting]:
    names = "|".join(map(re.escape, flags))
    found = []
    for match in re.finditer(rf"(?<![\w-])({names})(?:=|\s+)[\"']?([^\s;&|<>()\"'`]*)", script):
        setting = _setting(path, script[: match.start(2)], match[2], match[1], is_address=is_address)
        found.append(dataclasses.replace(setting, after=script[match.end(2) :]))
    return found


def _setting(path: Path, before: str, value: str, name: str, *, is_address: bool) -> PortSetting:
    host, colon, number = value.rpartition(":")
    if not number.isdecimal() or bool(colon) > is_address:
        raise UnclearError(f"{name} has the value {value[:40]!r}, which is not a port")
    return PortSetting(name, path, int(number), f"{before}{host}{colon}")
