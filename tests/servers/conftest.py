"""The servers, each started once, and Pilotfish in front of one of them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.stack import Stack
from tests.servers.watched import HERE, Watched
from tests.support.ports import accepts, free_port
from tests.support.processes import Child, Children
from tests.support.servers import servers_python
from tests.support.waiting import patient, wait_until

Start = Callable[..., tuple[int, Child]]


@pytest.fixture(scope="session")
def python() -> str:
    """The Python of the environment with servers and clients."""
    return servers_python()


@pytest.fixture(scope="session")
def model(python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny language model with random weights."""
    path = tmp_path_factory.mktemp("model") / "tiny.gguf"
    subprocess.run([python, HERE / "tiny.py", path], check=True, timeout=patient(60))
    return path


def start_llama(spawn: Children, python: str, model: Path, *more: str) -> tuple[int, Child]:
    """Start llama.cpp's server; return its port once it answers."""
    port = free_port()
    child = spawn(python, HERE / "llama.py", model, str(port), *more)
    wait_until(lambda: child.output() or not child.running(), timeout=60, what="llama.cpp")
    assert child.running(), child.errors()
    return port, child


@pytest.fixture(scope="session")
def forever(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Children]:
    """Child processes that end with the session."""
    children = Children(tmp_path_factory.mktemp("servers"))
    yield children
    children.end()


@pytest.fixture(scope="session")
def llama(forever: Children, python: str, model: Path) -> int:
    """The port of llama.cpp's server."""
    return start_llama(forever, python, model)[0]


@pytest.fixture(scope="session")
def embedder(forever: Children, python: str, model: Path) -> int:
    """The port of llama.cpp's server for embeddings."""
    return start_llama(forever, python, model, "embeddings")[0]


@pytest.fixture
def watch(tmp_path: Path, spawn: Children, python: str) -> Callable[[int], Watched]:
    """Start Pilotfish in front of the server at a port."""

    def start(port: int) -> Watched:
        assert accepts(port)
        watched = Watched(Stack(tmp_path, spawn, free_port(), free_port(), port), python)
        watched.start()
        return watched

    return start
