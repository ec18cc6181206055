"""No token, secret, or secret part of a webhook's URL leaves its file: not in an answer, a log, a file or a command."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.control.receiver import Receiver
from tests.e2e.load import loaded, until
from tests.e2e.stack import DOCUMENT, TOKEN, Stack
from tests.support.waiting import wait_until

PATH, QUERY, FRAGMENT, USER, PASSWORD = (
    "P4TH-S3CRET",
    "QU3RY-S3CRET",
    "FRAGM3NT-S3CRET",
    "US3R-S3CRET",
    "PASSW0RD-S3CRET",
)
SECRETS = [secret.encode() for secret in (TOKEN, "a-secret-of-tests", PATH, QUERY, FRAGMENT, USER, PASSWORD)]
OWN_FILES = ("token", "secret", "monitor.yaml")  # the files of the operator
PATHS = ("/", "/config", "/healthz", "/metrics", "/none", "/readyz", "/report", "/rows", "/state", "/windows")


def shown(stack: Stack) -> Iterator[tuple[str, bytes]]:
    """Yield everything that people and programs see, each with its source."""
    for path in PATHS:
        for accept in ("*/*", "text/html"):
            yield path, stack.get(path, accept=accept)[1]
        yield path, stack.get(path, token="wrong")[1]
    admin = ("--admin", f"127.0.0.1:{stack.admin}")
    token = ("--token-file", str(stack.folder / "token"))
    for words in (("report", *admin), ("report", *admin, *token), ("report", *admin, *token, "--json"),
                  ("check", "--file", str(stack.folder / "monitor.yaml"))):  # fmt: skip
        child = stack.spawn.pilotfish(*words)
        wait_until(lambda child=child: not child.running(), what=words[0])  # type: ignore[misc]
        yield " ".join(words), child.output().encode() + child.errors().encode()
    for pid in (stack.run.pid, stack.pid("proxy"), stack.pid("analyzer")):
        yield f"command line of {pid}", Path(f"/proc/{pid}/cmdline").read_bytes()
    for file in stack.folder.rglob("*"):
        if file.is_file() and file.name not in OWN_FILES:
            yield str(file), file.read_bytes()
    yield "log", stack.run.errors().encode()


def check(stack: Stack) -> None:
    """Check that nothing shown has a secret."""
    for where, content in shown(stack):
        assert [secret for secret in SECRETS if secret in content] == [], where


@pytest.mark.long
def test_no_secret_is_shown_while_deliveries_and_documents_fail(stack: Stack, receiver: Receiver) -> None:
    receiver.script[:] = ["die", "401"]
    stack.write("monitor.yaml", DOCUMENT % f"{receiver.url}{PATH}?key={QUERY}#{FRAGMENT}")
    stack.start()
    wait_until(stack.ready, what="the analyzer process")

    async def run() -> None:
        async with loaded(stack.listen) as load:
            load.shift = 3.0
            await until(lambda: len(receiver.arrivals) >= 2, "the webhook")

    asyncio.run(run())
    check(stack)
    host = receiver.url.partition("://")[2]
    for url in (f"https://{USER}:{PASSWORD}@{host}", f"{host}{PATH}?key={QUERY}"):
        before = stack.run.errors().count("the document changed")
        stack.write("monitor.yaml", DOCUMENT % url)
        wait_until(lambda n=before: stack.run.errors().count("the document changed") > n, what=url)  # type: ignore[misc]
        check(stack)
