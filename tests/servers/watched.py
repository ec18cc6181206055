"""`pilotfish run` in front of a real server, and what it counted for each route."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.pasted import EXAMPLES
from tests.e2e.stack import Samples, Stack
from tests.support.waiting import patient, wait_until

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
DOCUMENT = EXAMPLES / "llm/monitor.yaml"
TOKENS, EXCHANGES = "pilotfish_tokens_total", "pilotfish_token_exchanges_total"
Call = dict[str, Any]


@dataclass
class Counts:
    """Tokens by route and kind, and exchanges by route and outcome. A count of 0 is as good as none."""

    tokens: Counter[tuple[str, str]] = field(default_factory=Counter)
    exchanges: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, calls: Sequence[Call]) -> None:
        """Add what the calls of a client were given."""
        for call in calls:
            if call["outcome"]:
                self.exchanges[call["route"], call["outcome"]] += 1
            for kind in ("prompt", "completion", "cached"):
                self.tokens[call["route"], kind] += call[kind] or 0

    def lines(self) -> list[str]:
        """Return all that is not 0."""
        both = [*self.tokens.items(), *self.exchanges.items()]
        return sorted(f"{route}, {name}: {value}" for (route, name), value in both if value)


@dataclass
class Watched:
    """A stack in front of a server, and what its clients were given."""

    stack: Stack
    python: str
    given: Counts = field(default_factory=Counts)

    @property
    def url(self) -> str:
        """The address of Pilotfish."""
        return f"http://127.0.0.1:{self.stack.listen}"

    def start(self) -> None:
        """Start Pilotfish."""
        self.stack.write("monitor.yaml", DOCUMENT.read_text())
        self.stack.write("token", "a-token-of-tests")
        self.stack.start()
        wait_until(self.stack.ready, timeout=30, what="Pilotfish to be ready")

    def call(self, client: str, *arguments: str) -> list[Call]:
        """Run the calls of one client through Pilotfish; return them, and remember their counts."""
        command = [self.python, "-m", f"tests.servers.{client}", self.url, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=patient(120), check=False, cwd=ROOT)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        calls = [json.loads(line) for line in done.stdout.splitlines()]
        self.given.add(calls)
        return calls

    def counted(self) -> Counts:
        """Return what Pilotfish has counted so far."""
        found, samples = Counts(), self.stack.metrics()
        for name, kind, into in ((TOKENS, "kind", found.tokens), (EXCHANGES, "outcome", found.exchanges)):
            for labels, value in _labelled(samples, name):
                into[labels["route"], labels[kind]] += int(value)
        return found

    def tokens(self) -> dict[str, Any]:
        """Return the report's block of the only model version."""
        found = self.stack.report().get("resources", {}).get("tokens")
        return found[0] if found else {}

    def settled(self) -> list[str]:
        """Wait until every call of a language model was read; return what was counted, to be compared."""
        wanted = sum(self.given.exchanges.values())
        wait_until(lambda: sum(self.counted().exchanges.values()) >= wanted, timeout=30, what=f"{wanted} exchanges")
        return self.counted().lines()


def _labelled(samples: Samples, name: str) -> Iterator[tuple[dict[str, str], float]]:
    for key, value in samples.items():
        if key.startswith(name + "{"):
            yield json.loads(key.removeprefix(name)), value
