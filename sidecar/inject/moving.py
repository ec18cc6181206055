"""Mode `move`: the proxy listens on the port of the model server, and the server is told another one.

The user's annotations decide how; without them, the table of known servers does.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import quote_value
from .arguments import UnclearError, find_variable, is_shell
from .editing import ContainerEdit
from .errors import NotInjectedError
from .model import InjectedServer
from .names import MOVE_ARGUMENT, MOVE_ENV
from .operations import Operation
from .pod import PodView, words_of
from .reasons import InjectionReason
from .servers import KnownServer, find_port, known_server

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_PLACEHOLDER = re.compile(r"\{(port|[0-9]{1,5})\}")


@dataclass(frozen=True)
class Relocation:
    """How the server is told its new ports: operations on its container, and words for the message."""

    operations: tuple[Operation, ...]
    how: str
    reason: InjectionReason


def relocate(pod: PodView, model: InjectedServer, numbers: Mapping[int, int]) -> Relocation:
    """Return how the server of `model` is told to listen on `numbers`, by its present ports.

    Raises NotInjectedError if the server is not known or its words do not say for certain where the port is.
    """
    container = pod.containers[model.container]
    edit = ContainerEdit(container)
    argument, env = pod.annotations.get(MOVE_ARGUMENT), pod.annotations.get(MOVE_ENV)
    told = set[int]()
    words = [*_by_argument(edit, argument, model, numbers, told), *_by_env(edit, env, numbers, told)]
    rest = {old: new for old, new in numbers.items() if old not in told}
    server = known_server(container)
    try:
        known = [_by_table(edit, server, old, new) for old, new in rest.items()]
    except UnclearError as error:
        raise NotInjectedError(_reason(model), f"{_why(model)}, and its server cannot be moved: {error}") from None
    words += [f"{server.name}: {', '.join(known)}"] if server and known else []
    reason = InjectionReason.KNOWN_SERVER if known else InjectionReason.REQUESTED
    return Relocation(edit.operations(model.container), ", ".join(words), reason)


def _reason(model: InjectedServer) -> InjectionReason:
    if model.forwarders:
        return InjectionReason.FORWARDED_BY_NUMBER
    return InjectionReason.NUMERIC_PORTS if model.targets else InjectionReason.NO_SERVICE


def _why(model: InjectedServer) -> str:
    port = f"port {model.ports[0]} of container {model.name}"
    if model.forwarders:
        return f"container {model.forwarders[0]} forwards to {port}"
    for target in model.targets:
        if not target.name:
            return f"{target.via} targets port {target.number} of container {model.name} by number"
    return f"{model.targets[0].via} targets {port}" if model.targets else f"no Service targets {port} yet"


def _by_table(edit: ContainerEdit, server: KnownServer | None, old: int, new: int) -> str:
    """Tell `server` to listen on `new` instead of `old`; return the word that does."""
    if server is None:
        raise UnclearError("no known model server runs there")
    unset = []
    for port in server.ports:
        if port.is_side:
            continue
        setting = find_port(edit.container, port)
        if setting is not None and setting.number == old:
            change = edit.change(setting, new)
            for name in port.variables if setting.path[0] == "env" else ():
                other = find_variable(edit.container, name, is_address=port.is_address)
                if other is not None and other.number == old:
                    edit.change(other, new)
            return change
        if setting is None and port.default in {old, None}:
            unset.append(port)
    if not unset:
        raise UnclearError(f"nothing in the container says that {server.name} listens on {old}")
    port = next((port for port in unset if port.default == old), unset[0])
    if not port.flags:
        return edit.set_variable(port.variables[0], str(new))
    script = is_shell(words_of(edit.container))
    if port.variables and (script or not edit.takes_arguments(server)):
        return edit.set_variable(port.variables[0], str(new))
    word = f"{port.flags[0]}={'0.0.0.0:' if port.is_address else ''}{new}"
    if script:
        return edit.append_to_script(word, f"a shell starts {server.name} without {port.flags[0]}")
    if not edit.takes_arguments(server):
        raise UnclearError(
            f"the container sets no arguments, and those of its image are not known; set {port.flags[0]}"
        )
    return edit.append(word)


def _by_argument(
    edit: ContainerEdit, text: str | None, model: InjectedServer, numbers: Mapping[int, int], told: set[int]
) -> list[str]:
    """Set the arguments of the annotation, such as `--port={port}` or `--port {port}`; add their ports to `told`."""
    if text is None:
        return []
    try:
        words = shlex.split(text)
    except ValueError:
        raise _invalid(MOVE_ARGUMENT, text, "has a quotation mark without its pair") from None
    if is_shell(words_of(edit.container)):
        what = f"a shell starts the server of container {model.name}, so the annotation {MOVE_ARGUMENT} has no effect"
        raise NotInjectedError(InjectionReason.ANNOTATION_INVALID, what, f"use {MOVE_ENV}, or start it without a shell")
    if not words_of(edit.container):
        what = f"container {model.name} has neither command nor args, and an argument would replace those of its image"
        raise NotInjectedError(InjectionReason.ANNOTATION_INVALID, what, f"set args in the pod, or use {MOVE_ENV}")
    done, flag = [], ""
    for word in words:
        filled = _fill(word, MOVE_ARGUMENT, text, numbers, told)
        if filled == word and (flag or not word.startswith("-")):
            raise _invalid(MOVE_ARGUMENT, text, "has a word that is not a flag and does not contain {port}")
        if filled == word:
            flag = word
        else:
            done.append(edit.put(flag, filled))
            flag = ""
    if flag or not done:
        raise _invalid(MOVE_ARGUMENT, text, "has no {port}")
    return done


def _by_env(edit: ContainerEdit, text: str | None, numbers: Mapping[int, int], told: set[int]) -> list[str]:
    """Set the variables of the annotation, such as `PORT`, or `A={8080},B={9000}`; add their ports to `told`."""
    done = []
    for part in text.split(",") if text is not None else ():
        name, _, template = part.strip().partition("=")
        if not _VARIABLE.fullmatch(name):
            raise _invalid(MOVE_ENV, part, "names no variable")
        template = template or "{port}"
        value = _fill(template, MOVE_ENV, part, numbers, told)
        if value == template:
            raise _invalid(MOVE_ENV, part, "has no {port}")
        done.append(edit.set_variable(name, value))
    return done


def _fill(template: str, annotation: str, text: str, numbers: Mapping[int, int], told: set[int]) -> str:
    """Return `template` with {port}, or a present port such as {8080}, replaced by the new port; add it to `told`."""

    def number(found: re.Match[str]) -> str:
        if found[1] == "port" and len(numbers) > 1:
            raise _invalid(annotation, text, f"has {{port}}, but the ports are {', '.join(map(str, numbers))}")
        old = next(iter(numbers)) if found[1] == "port" else int(found[1])
        if old not in numbers:
            raise _invalid(annotation, text, f"has {{{old}}}, but the ports are {', '.join(map(str, numbers))}")
        told.add(old)
        return str(numbers[old])

    return _PLACEHOLDER.sub(number, template)


def _invalid(annotation: str, text: str, why: str) -> NotInjectedError:
    what = f"the annotation {annotation} is {quote_value(text)}, which {why}"
    return NotInjectedError(
        InjectionReason.ANNOTATION_INVALID, what, "write {port}, or {8080} for one of several ports"
    )
