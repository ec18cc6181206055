"""A folder of docs/examples as a newcomer uses it: copied elsewhere, its README's commands pasted line by line."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.stack import Stack
from tests.support.ports import accepts, free_port
from tests.support.processes import Children
from tests.support.waiting import patient, wait_until

EXAMPLES = Path(__file__).resolve().parents[2] / "docs/examples"
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
MODEL, LISTEN, ADMIN = "8000", "8080", "9797"  # the ports in the READMEs
SERVERS = {"mlserver start": MODEL, "pilotfish run": LISTEN, "python3 service.py": MODEL, "uvicorn": MODEL}
NOT_TRIED = ("pip install",)  # the environment of the tests has the packages already


@dataclass(frozen=True, slots=True)
class Step:
    """A command of a README; `answer` is the JSON that the README shows as its output, if it does."""

    command: str
    answer: Any = None

    @property
    def port(self) -> str:
        """Return the port that this command serves, empty if it ends."""
        return next((port for start, port in SERVERS.items() if self.command.startswith(start)), "")


def steps(text: str) -> Iterator[Step]:
    """Yield the commands of the `sh` blocks of a README; a `json` block is the answer to the command before it."""
    blocks = [(kind, textwrap.dedent(body)) for _, kind, body in BLOCK.findall(text)]
    for (kind, body), (after, answer) in zip(blocks, [*blocks[1:], ("", "")][: len(blocks)], strict=True):
        if kind == "sh":
            *commands, last = body.replace("\\\n", "").splitlines()
            yield from map(Step, commands)
            yield Step(last, json.loads(answer) if after == "json" else None)


@dataclass
class Pasted:
    """The copy of one example; it has ports of its own, so that examples run beside each other."""

    folder: Path
    spawn: Children
    replaced: Mapping[str, str] = field(default_factory=dict)  # the start of a command: what runs instead
    ports: dict[str, int] = field(default_factory=lambda: {port: free_port() for port in (MODEL, LISTEN, ADMIN)})

    @property
    def stack(self) -> Stack:
        """What a user can observe over HTTP."""
        return Stack(self.folder, self.spawn, self.ports[LISTEN], self.ports[ADMIN], self.ports[MODEL])

    @property
    def environment(self) -> dict[str, str]:
        """The programs of the tests come first, and the admin address is this copy's own."""
        path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"
        return {"PATH": path, "PILOTFISH_ADMIN": f"127.0.0.1:{self.ports[ADMIN]}"}

    def paste(self, step: Step) -> None:
        """Run a command until it ends, or start a server and wait until it accepts connections."""
        replaced = (command for start, command in self.replaced.items() if step.command.startswith(start))
        command = self.with_own_ports(next(replaced, step.command))
        if not command.startswith(NOT_TRIED):
            (self.serve if step.port else self.end)(command, step)

    def serve(self, command: str, step: Step) -> None:
        """Start the server `command`."""
        child = self.spawn("bash", "-c", f"exec {command}", env=self.environment, cwd=self.folder)
        wait_until(lambda: accepts(self.ports[step.port]) or not child.running(), timeout=30, what=command)
        assert child.running(), child.errors()
        if step.port == LISTEN:
            wait_until(self.stack.ready, what="Pilotfish to be ready")

    def end(self, command: str, step: Step) -> None:
        """Run `command`; its status must be 0, and its output the answer of the README."""
        argv, environment = ["bash", "-c", command], {**os.environ, **self.environment}
        done = subprocess.run(
            argv, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=patient(30)
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        assert step.answer is None or json.loads(done.stdout) == step.answer, command

    def with_own_ports(self, text: str) -> str:
        """Return the text with this copy's ports."""
        return re.sub(r"\b(8000|8080|9797)\b", lambda found: str(self.ports[found[0]]), text)


def copied(name: str, folder: Path, spawn: Children, replaced: Mapping[str, str] | None = None) -> Pasted:
    """Copy the example `name` into `folder`, and give it ports."""
    shutil.copytree(EXAMPLES / name, folder / name)
    made = Pasted(folder / name, spawn, replaced or {})
    for settings in made.folder.glob("settings.json"):
        settings.write_text(made.with_own_ports(settings.read_text()))
    return made
