"""Edits the arguments and variables of a container on a copy, and returns the changes as operations."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from .arguments import PortSetting, UnclearError, appendable_script, find_program
from .context import Json
from .operations import Operation, Path, add, replace
from .pod import words_of
from .servers import KnownServer

_LISTS = ("command", "args", "env")


class ContainerEdit:
    """The edited copy is `container`; each method that changes it returns the words that describe the change."""

    def __init__(self, container: Json) -> None:
        self._original = container
        self.container: dict[str, Any] = {**container, **{key: deepcopy(container.get(key) or []) for key in _LISTS}}

    def operations(self, position: int) -> tuple[Operation, ...]:
        """Return the operations that change the container at `position` of the pod."""
        return tuple(item for key in _LISTS for item in self._changes(key, ("spec", "containers", position, key)))

    def takes_arguments(self, server: KnownServer) -> bool:
        """Return whether an appended argument reaches the server."""
        words = words_of(self.container)
        starts = [find_program(words, program) for program in server.programs]
        if "--" in words[max([0, *starts]) :]:
            return False
        return bool(words) or server.takes_arguments

    def change(self, setting: PortSetting, number: int) -> str:
        """Set another port at the place of `setting`."""
        key, index = _place(setting.path)
        value = setting.with_number(number)
        self.container[key][index] = {"name": setting.name, "value": value} if key == "env" else value
        return f"{setting.name} {number}"

    def append(self, word: str) -> str:
        """Add an argument at the end."""
        self.container["args"].append(word)
        return word

    def append_to_script(self, word: str, problem: str) -> str:
        """Add an argument at the end of the script of a shell. Raises UnclearError if it may not reach the server."""
        path = appendable_script(self.container)
        if path is None:
            raise UnclearError(problem)
        key, index = _place(path)
        self.container[key][index] = f"{self.container[key][index].rstrip()} {word}"
        return word

    def put(self, flag: str, word: str) -> str:
        """Set an argument, in place of one with the same flag. `flag` is the word before it, or empty."""
        name, equals, value = word.partition("=")
        wanted = flag or (name if equals else "")
        places: list[tuple[list[str], int]] = [
            (self.container[key], index) for key in ("command", "args") for index in range(len(self.container[key]))
        ]
        for (words, index), following in zip(places, [*places[1:], None], strict=True):
            if wanted and words[index].startswith(f"{wanted}="):
                words[index] = f"{flag}={word}" if flag else word
                return words[index]
            if wanted and words[index] == wanted and following is not None:
                following[0][following[1]] = word if flag else value
                return f"{wanted} {following[0][following[1]]}"
        self.container["args"] += [flag, word] if flag else [word]
        return f"{flag} {word}".strip()

    def set_variable(self, name: str, value: str) -> str:
        """Set a variable."""
        entry = {"name": name, "value": value}
        env = self.container["env"]
        positions = [index for index, item in enumerate(env) if item.get("name") == name]
        if positions:
            env[positions[-1]] = entry
        else:
            env.append(entry)
        return f"{name}={value}"

    def _changes(self, key: str, path: Path) -> Iterator[Operation]:
        before, after = self._original.get(key) or [], self.container[key]
        for index, (old, new) in enumerate(zip(before, after, strict=False)):
            if old != new:
                yield replace(new, *path, index)
        if len(after) > len(before) and self._original.get(key) is None:
            yield add(after, *path)
        else:
            yield from (add(item, *path, "-") for item in after[len(before) :])


def _place(path: Path) -> tuple[str, int]:
    """Return the list and the position of a path below a container."""
    return str(path[0]), int(path[1])
