"""Two kinds of load: a closed loop (wrk) for CPU and throughput, and an open loop at a fixed rate for latency.

As a program, `proxy_load.py PORT RATE SECONDS`, it is the open-loop client and prints latencies in µs as JSON.
"""

from __future__ import annotations

import gc
import json
import random
import re
import select
import socket
import subprocess
import sys
from collections import deque
from pathlib import Path
from time import perf_counter

CONNECTIONS = 32
FEATURES = 20
PATH = "/v2/models/m/infer"
SPIN_SECONDS = 0.0001  # the last stretch before a request is due is not slept: timers are not that exact
DRAIN_SECONDS = 5.0
SEED = 20


def body() -> str:
    """Return an Open Inference Protocol request with one row of `FEATURES` numbers."""
    inputs = [
        {"name": f"f{index}", "datatype": "FP64", "shape": [1], "data": [round(0.37 * index, 6)]}
        for index in range(FEATURES)
    ]
    return json.dumps({"inputs": inputs}, separators=(",", ":"))


def wrk_script(folder: Path) -> Path:
    """Write wrk's script and return its path."""
    script = folder / "post.lua"
    script.write_text(
        f"wrk.method = 'POST'\nwrk.headers['Content-Type'] = 'application/json'\nwrk.body = [[{body()}]]\n"
    )
    return script


def run_wrk(port: int, seconds: int, script: Path) -> int:
    """Load `port` for `seconds` and return how many requests were answered; fail when one was not."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(script), f"http://127.0.0.1:{port}{PATH}"]
    output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 30).stdout
    found = re.search(r"(\d+) requests in", output)
    if found is None or "Non-2xx" in output or "Socket errors" in output:
        raise RuntimeError(f"wrk had errors on port {port}: {output[-400:]}")
    return int(found[1])


def run_open_loop(port: int, rate: int, seconds: float) -> list[float]:
    """Run the open-loop client in a process of its own and return its sorted latencies in microseconds."""
    command = [sys.executable, __file__, str(port), str(rate), str(seconds)]
    output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 30).stdout
    return [float(value) for value in json.loads(output)]


class Connection:
    """One keep-alive connection and the request that is under way on it."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due = 0.0
        self.missing = 0
        self._size = 0

    def send(self, request: bytes, due: float) -> None:
        """Send a request that was due at `due`."""
        self.due = due
        self.missing = self._size
        self.sock.sendall(request)

    def receive(self) -> bool:
        """Read; return whether the response is complete. All responses are as long as the first one."""
        data = self.sock.recv(65536)
        if not data:
            raise RuntimeError("the connection was closed")
        if not self._size:
            head, _, _ = data.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
            if length is None or not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"not the response that was expected: {data[:80]!r}")
            self._size = len(head) + 4 + int(length[1])
            self.missing = self._size
        self.missing -= len(data)
        return self.missing <= 0


def schedule(rate: int, seconds: float, start: float) -> deque[float]:
    """Return the times at which requests are due: a Poisson process, the same for all."""
    source, due, times = random.Random(SEED), start, deque[float]()
    while due < start + seconds:
        times.append(due)
        due += source.expovariate(rate)
    return times


def open_loop(port: int, rate: int, seconds: float) -> list[float]:
    """Send requests when they are due, whether or not earlier ones were answered; return latencies in microseconds.

    A latency counts from the time at which the request was due, so a stall counts for every request that it delays.
    """
    text = body()
    head = f"POST {PATH} HTTP/1.1\r\nHost: m\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
    request = (head + text).encode()
    idle = [Connection(port) for _ in range(CONNECTIONS)]
    for connection in idle:
        connection.send(request, 0.0)
        while not connection.receive():
            pass
    busy: dict[socket.socket, Connection] = {}
    due, latencies = schedule(rate, seconds, perf_counter() + 0.05), list[float]()
    end = due[-1] + DRAIN_SECONDS
    gc.disable()
    while due or busy:
        now = perf_counter()
        while due and idle and due[0] <= now:
            connection = idle.pop()
            connection.send(request, due.popleft())
            busy[connection.sock] = connection
        wait = (due[0] - now - SPIN_SECONDS) if due and idle else DRAIN_SECONDS
        for sock in select.select(list(busy), (), (), max(wait, 0.0))[0]:
            connection = busy[sock]
            if connection.receive():
                latencies.append((perf_counter() - connection.due) * 1e6)
                del busy[sock]
                idle.append(connection)
        if now > end:
            raise RuntimeError(f"{len(busy)} requests were never answered, {len(due)} never sent")
    return sorted(latencies)


if __name__ == "__main__":
    print(json.dumps([round(value, 1) for value in open_loop(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))]))
