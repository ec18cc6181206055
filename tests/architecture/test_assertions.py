"""No test asserts on a private attribute, and every limit on a wait scales with `PILOTFISH_TEST_PATIENCE`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.sources import sources

SCALED = ("wait_until", "eventually")  # they multiply their timeout themselves
# The place of the limit among the arguments.
WAITS = {"wait": 0, "join": 0, "settimeout": 0, "poll": 0, "result": 0, "wait_for": 1, "acquire": 1, "select": 3}
BENCHMARKS = ("tests", "benchmarks")  # they measure times themselves, and no test runs them
ALLOWED = {
    "tests/integration/test_hostile.py": "a receive after the end of the stream; it returns at once",
    "tests/control/test_webhook.py": "the timeout is what the test expects",
    "tests/control/test_executors.py": "the timeout is what the test expects",
}  # files with a bare limit, and the reason


def test_no_assertion_reads_a_private_attribute() -> None:
    """A class of the tests may read its own."""
    found = [
        f"{source.path}:{node.lineno}: {ast.unparse(node)}"
        for source in sources("tests")
        for statement in ast.walk(source.tree)
        if isinstance(statement, ast.Assert)
        for node in ast.walk(statement)
        if isinstance(node, ast.Attribute) and _private(node.attr) and not _own(node.value)
    ]
    assert not found, "assert on public behaviour instead:\n" + "\n".join(found)


def test_every_limit_on_a_wait_is_scaled() -> None:
    found, used = [], set()
    for source in sources("tests"):
        for call in (node for node in ast.walk(source.tree) if isinstance(node, ast.Call)):
            if any(_bare(limit) for limit in _limits(call)):
                used.add(str(source.path))
                if str(source.path) not in ALLOWED and source.path.parts[:2] != BENCHMARKS:
                    found.append(f"{source.path}:{call.lineno}: {ast.unparse(call)[:100]}")
    assert not found, "use patient(...) of tests/support/waiting.py:\n" + "\n".join(found)
    assert set(ALLOWED) <= used, "these exceptions are not needed any more"


@pytest.mark.parametrize(
    "text", ["x.wait(20)", "f(timeout=3)", "wait_for(x, 5)", "x.join(timeout=1.5)", "select.select(a, b, c, 2)"]
)
def test_a_bare_limit_is_found(text: str) -> None:
    assert any(map(_bare, _limits(_call(text))))


@pytest.mark.parametrize(
    "text", ["x.wait(patient(20))", "f(timeout=patient(3))", "wait_until(x, timeout=3)", "x.wait()", "', '.join(x)"]
)
def test_a_scaled_limit_is_accepted(text: str) -> None:
    assert not any(map(_bare, _limits(_call(text))))


def _call(text: str) -> ast.Call:
    call = ast.parse(text, mode="eval").body
    assert isinstance(call, ast.Call)
    return call


def _private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _own(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) and value.id == "self"


def _limits(call: ast.Call) -> Iterator[ast.expr]:
    """Yield the arguments of a call that limit how long it waits."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in SCALED or ast.unparse(call.func) == "pytest.mark.timeout":
        return  # tests/conftest.py scales the mark
    yield from (keyword.value for keyword in call.keywords if keyword.arg == "timeout")
    place = WAITS.get(name)
    if place is not None and len(call.args) > place:
        yield call.args[place]


def _bare(limit: ast.expr) -> bool:
    return isinstance(limit, ast.Constant) and isinstance(limit.value, int | float) and bool(limit.value)
