"""Time to the first token, and between tokens, of a real llama.cpp with and without Pilotfish in front of it.

    python -m tests.benchmarks.first_token [STREAMS]

It needs the environment of `.ci/environment servers > build/servers`. Streams go to both ports in turn, so that the
load of the machine is the same for both. docs/tokens.md has the results.
"""

from __future__ import annotations

import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.stack import Stack
from tests.servers.watched import DOCUMENT, HERE
from tests.support.ports import free_port
from tests.support.processes import Children
from tests.support.servers import SAID
from tests.support.waiting import patient, wait_until

TOKENS = 100
BODY = json.dumps(
    {"messages": [{"role": "user", "content": "what is the sun"}], "max_tokens": TOKENS, "stream": True, "seed": 1}
)


@dataclass
class Port:
    """A port, and the times that were measured at it, in seconds."""

    name: str
    number: int
    first: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)

    def stream(self) -> None:
        """Send one request on a new connection, and note when each token comes."""
        begin = before = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", self.number, timeout=patient(60))
        connection.request("POST", "/v1/chat/completions", BODY, {"Content-Type": "application/json"})
        response = connection.getresponse()
        tokens = 0
        while line := response.readline():
            if b'"content":"' in line:
                now = time.perf_counter()
                (self.gaps if tokens else self.first).append(now - before)
                before, tokens = now, tokens + 1
        connection.close()
        assert tokens > TOKENS // 2, f"{tokens} events"
        self.whole.append(time.perf_counter() - begin)

    def forget(self) -> None:
        """Drop what was measured."""
        for times in (self.first, self.gaps, self.whole):
            times.clear()

    def row(self) -> str:
        """Return the medians as a row of a table, in milliseconds."""
        late = statistics.quantiles(self.gaps, n=100)[98]
        values = (statistics.median(self.first), statistics.median(self.gaps), late, statistics.median(self.whole))
        return f"| {self.name} | " + " | ".join(f"{value * 1000:.2f}" for value in values) + " |"


def main(streams: int) -> None:
    """Measure and print the table."""
    python = SAID.read_text().strip()
    with tempfile.TemporaryDirectory(prefix="first-token-") as name:
        folder, server = Path(name), free_port()
        spawn = Children(folder)
        try:
            subprocess.run([python, HERE / "tiny.py", folder / "tiny.gguf"], check=True)
            child = spawn(python, HERE / "llama.py", folder / "tiny.gguf", str(server))
            wait_until(child.output, timeout=60, what="llama.cpp")
            stack = Stack(folder, spawn, free_port(), free_port(), server)
            stack.write("monitor.yaml", DOCUMENT.read_text())
            stack.write("token", "a-token-of-benchmarks")
            stack.start()
            wait_until(stack.ready, timeout=60, what="Pilotfish")
            direct, through = Port("directly", server), Port("through Pilotfish", stack.listen)
            for index in range(-10, streams):
                for port in (direct, through) if index % 2 else (through, direct):
                    port.stream()
                if index < 0:  # to warm up
                    direct.forget()
                    through.forget()
        finally:
            spawn.end()
    print(f"{streams} streams of {TOKENS} tokens each, in turn; milliseconds\n")
    print(
        "| | first token | next token | next token, 99th percentile | whole stream |\n| --- | --- | --- | --- | --- |"
    )
    print(f"{direct.row()}\n{through.row()}\n")
    ratio = statistics.median(through.first) / statistics.median(direct.first)
    print(f"first token, ratio of the medians: {ratio:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
