"""The proxies that are compared: each is started on a port of its own before the same upstream."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks import proxy_aiohttp
from tests.benchmarks.proxy_load import FEATURES
from tests.support.ports import accepts, free_port
from tests.support.programs import find
from tests.support.waiting import wait_until

PILOTFISH = str(Path(sys.executable).with_name("pilotfish"))
PREDICTION = '{"model_name":"m","outputs":[{"name":"y","datatype":"FP64","shape":[1],"data":[0.7312]}]}'
PROXY, ANALYZER = "proxy", "analyzer"


@dataclass(frozen=True, slots=True)
class Running:
    """A started contender: its port, and its processes by what they do."""

    port: int
    processes: dict[str, int]


@dataclass(frozen=True, slots=True)
class Contender:
    """A name for the table and how it is started: `start(folder, upstream_port)`."""

    name: str
    start: Callable[[ExitStack, Path, int], Running]


@contextmanager
def child(command: Sequence[str], folder: Path, name: str) -> Iterator[int]:
    """Run a command until the end of the block, its output in `folder`; yield its process id."""
    with (folder / f"{name}.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def started(stack: ExitStack, command: Sequence[str], folder: Path, name: str, port: int) -> int:
    """Start a command for the time of `stack`, wait until it listens, and return its process id."""
    folder.mkdir(parents=True, exist_ok=True)
    pid = stack.enter_context(child(command, folder, name))
    wait_until(lambda: accepts(port), timeout=20, what=f"{name} to listen; see {folder / name}.log")
    return pid


def nginx(stack: ExitStack, folder: Path, http: str, port: int, name: str) -> int:
    """Start nginx with one worker and the given `http` block; return its process id."""
    folder.mkdir(parents=True, exist_ok=True)
    places = "".join(
        f"{kind}_temp_path {folder}/{name}-{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = folder / f"{name}.conf"
    user = "user root;" if os.geteuid() == 0 else ""  # else its worker could not read a folder for root alone
    config.write_text(
        f"{user} worker_processes 1; daemon off; pid {folder}/{name}.pid; error_log {folder}/{name}.err;\n"
        "events { worker_connections 4096; }\n"
        f"http {{ access_log off; keepalive_requests 100000000; client_body_buffer_size 64k; {places}\n{http}\n}}\n"
    )
    return started(
        stack,
        [str(find("nginx")), "-c", str(config), "-p", str(folder), "-e", f"{folder}/{name}.err"],
        folder,
        name,
        port,
    )


def start_upstream(stack: ExitStack, folder: Path) -> int:
    """Start the model server that all contenders stand before: nginx with a fixed answer; return its port."""
    port = free_port()
    location = f"location / {{ default_type application/json; return 200 '{PREDICTION}'; }}"
    nginx(stack, folder, f"server {{ listen 127.0.0.1:{port} reuseport; {location} }}", port, "upstream")
    return port


def start_direct(stack: ExitStack, folder: Path, upstream: int) -> Running:
    """Return the upstream without a proxy."""
    return Running(upstream, {})


def start_nginx(stack: ExitStack, folder: Path, upstream: int) -> Running:
    """Start nginx as a reverse proxy with keep-alive to the upstream."""
    port = free_port()
    pool = f"upstream model {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 100000000; }}"
    location = 'location / { proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection ""; }'
    pid = nginx(stack, folder, f"{pool} server {{ listen 127.0.0.1:{port}; {location} }}", port, "nginx")
    return Running(port, {PROXY: pid})


def start_haproxy(stack: ExitStack, folder: Path, upstream: int) -> Running:
    """Start HAProxy in HTTP mode with one thread."""
    port, config = free_port(), folder / "haproxy.cfg"
    folder.mkdir(parents=True, exist_ok=True)
    config.write_text(
        "global\n  nbthread 1\n  maxconn 4096\n"
        "defaults\n  mode http\n  http-reuse always\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n"
        f"frontend in\n  bind 127.0.0.1:{port}\n  default_backend model\n"
        f"backend model\n  server one 127.0.0.1:{upstream}\n"
    )
    return Running(
        port, {PROXY: started(stack, [str(find("haproxy")), "-db", "-f", str(config)], folder, "haproxy", port)}
    )


def start_aiohttp(stack: ExitStack, folder: Path, upstream: int) -> Running:
    """Start the reverse proxy in aiohttp."""
    port = free_port()
    command = [sys.executable, str(Path(proxy_aiohttp.__file__)), str(port), str(upstream)]
    return Running(port, {PROXY: started(stack, command, folder, "aiohttp", port)})


def start_pilotfish_alone(stack: ExitStack, folder: Path, upstream: int) -> Running:
    """Start Pilotfish's proxy, which counts and records nothing."""
    return _pilotfish(stack, folder / "alone", upstream, records=0)


def start_pilotfish(stack: ExitStack, folder: Path, upstream: int) -> Running:
    """Start Pilotfish's proxy with the analyzer behind it, the defaults for sampling, and a document with a profile."""
    running, place = _pilotfish(stack, folder / "sampled", upstream, records=None), folder / "sampled"
    admin = free_port()
    document = _document(place)
    command = [PILOTFISH, "analyze", "--shared", str(place), "--admin", f"127.0.0.1:{admin}", "-f", str(document)]
    pid = started(stack, [*command, "--state", str(place / "state")], place, "analyzer", admin)
    return Running(running.port, {**running.processes, ANALYZER: pid})


def _pilotfish(stack: ExitStack, shared: Path, upstream: int, records: int | None) -> Running:
    shared.mkdir(parents=True, exist_ok=True)
    if records is not None:
        (shared / "proxy.json").write_text(json.dumps({"maxRecordsPerSecond": records}))
    port = free_port()
    command = [
        PILOTFISH,
        "proxy",
        "--listen",
        f"127.0.0.1:{port}",
        "--upstream",
        f"127.0.0.1:{upstream}",
        "--shared",
        str(shared),
    ]
    return Running(port, {PROXY: started(stack, command, shared, "pilotfish", port)})


def _document(place: Path) -> Path:
    """Write a document and the profile that it names; return its path."""
    columns = [f"f{index}" for index in range(FEATURES)]
    rows = ([f"{0.37 * index + 0.01 * (row % 97):.4f}" for index in range(FEATURES)] for row in range(5000))
    (place / "reference.csv").write_text("\n".join([",".join(columns), *map(",".join, rows)]) + "\n")
    build = [PILOTFISH, "profile", "build", str(place / "reference.csv"), "--out", str(place / "profile.json")]
    with (place / "profile.log").open("wb") as log:
        subprocess.run(build, check=True, stdout=log, stderr=log, env={**os.environ, "NO_COLOR": "1"})
    document = {
        "apiVersion": "pilotfish.dev/v1alpha1",
        "kind": "ModelMonitor",
        "metadata": {"name": "bench"},
        "spec": {"model": {"name": "m", "version": "1"}, "profiles": [{"version": "1", "path": "profile.json"}]},
    }
    path = place / "monitor.yaml"
    path.write_text(json.dumps(document))
    return path


DIRECT, NGINX = "direct", "nginx"
CONTENDERS = (
    Contender(DIRECT, start_direct),
    Contender(NGINX, start_nginx),
    Contender("HAProxy", start_haproxy),
    Contender("aiohttp", start_aiohttp),
    Contender("Pilotfish proxy, nothing sampled", start_pilotfish_alone),
    Contender("Pilotfish proxy + analyzer, 2000 records/s", start_pilotfish),
)


def versions() -> list[str]:
    """Return the versions of what is compared, as each program states it."""
    stated = []
    for command in (["nginx", "-v"], ["haproxy", "-v"], ["wrk", "-v"]):
        done = subprocess.run([str(find(command[0])), *command[1:]], capture_output=True, text=True, check=False)
        stated.append(
            (done.stdout + done.stderr).splitlines()[0].removeprefix("nginx version: ").split(" - ")[0].split(" [")[0]
        )
    return [
        *stated,
        f"aiohttp {version('aiohttp')}",
        f"Pilotfish {version('pilotfish')}",
        f"Python {sys.version.split()[0]}",
    ]
