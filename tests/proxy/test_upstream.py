"""An upstream by name: its lookups, the addresses that it tries, and what it reports. Only DNS is scripted."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from pilotfish.sidecar.channel import layout as at
from pilotfish.sidecar.channel.page import CounterPage
from pilotfish.sidecar.proxy.attempt import ConnectAttempt, is_connected_to_itself
from pilotfish.sidecar.proxy.connecting import Refusal, UpstreamConnect
from pilotfish.sidecar.proxy.deadlines import Deadlines
from pilotfish.sidecar.proxy.lookup import LOOKUP_INTERVAL
from pilotfish.sidecar.proxy.reactor import SECOND, Reactor
from pilotfish.sidecar.proxy.sockets import Target, literal_targets, resolve
from pilotfish.sidecar.proxy.upstream import Upstream
from pilotfish.sidecar.system.addresses import Address
from tests.integration.test_upstream import silent_upstream
from tests.support.waiting import patient

NAME = Address("model.example", 80)
HOUR = 3600 * SECOND


class ScriptedDns:
    """Answers each lookup with `answer`, once `gate` is open, and counts the lookups that run and that have ended."""

    def __init__(self, *targets: Target) -> None:
        self.answer: tuple[Target, ...] | Exception = targets
        self.gate = threading.Event()
        self.gate.set()
        self.started = 0
        self.threads: set[int] = set()

    def __call__(self, address: Address) -> tuple[Target, ...]:
        self.started += 1
        self.threads.add(threading.get_ident())
        assert self.gate.wait(patient(10))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Loop:
    """A reactor, a counter page, and the clients that connect through `upstream`."""

    def __init__(self, folder: Path) -> None:
        self.reactor = Reactor()
        self.page = CounterPage.open(folder / "page", now_ns=1)
        self.ends: list[socket.socket | Refusal] = []
        self.open: list[socket.socket] = []

    def upstream(self, dns: ScriptedDns, *, wait: int = HOUR) -> Upstream:
        upstream = Upstream(self.reactor, self.page, NAME, wait, dns)
        upstream.start()
        return upstream

    def client(self, upstream: Upstream) -> socket.socket:
        """Connect a client; its end is added to `ends`."""
        inner, outer = socket.socketpair()
        self.open += [inner, outer]
        inner.setblocking(False)
        UpstreamConnect(self.reactor, upstream, inner, self.ends.append, self.ends.append).start()
        return outer

    def run_until(self, predicate: Callable[[], object], what: str) -> None:
        """Run the loop until the predicate is true."""
        deadline = self.reactor.now() + int(patient(10) * SECOND)

        def check() -> None:
            if predicate() or self.reactor.now() > deadline:
                self.reactor.stop()
            else:
                self.reactor.call_later(SECOND // 500, check)

        check()
        if not predicate():
            self.reactor.run()
        assert predicate(), f"waited for {what}"

    def unreachable(self) -> int:
        return self.page.words[at.connection("upstreams_unreachable")]

    def close(self) -> None:
        for stream in (*self.open, *(end for end in self.ends if isinstance(end, socket.socket))):
            stream.close()
        self.reactor.close()
        self.page.close()


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    with closing(Loop(tmp_path)) as loop:
        yield loop


@contextmanager
def server() -> Iterator[tuple[socket.socket, Target]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener, Target(socket.AF_INET, listener.getsockname())


def peer(end: socket.socket | Refusal) -> object:
    """Return the address that a client was connected to."""
    assert isinstance(end, socket.socket), end
    return end.getpeername()


def gone() -> Target:
    """Return an address that refuses connections."""
    with server() as (_, target):
        return target


def test_name_is_looked_up_in_another_thread_and_clients_wait_for_it(loop: Loop) -> None:
    with server() as (_, target):
        dns = ScriptedDns(target)
        dns.gate.clear()
        upstream = loop.upstream(dns)
        loop.client(upstream)
        loop.run_until(lambda: dns.started, "the lookup to start")
        assert (loop.ends, loop.unreachable()) == ([], 1)
        dns.gate.set()
        loop.run_until(lambda: loop.ends, "the client to be connected")
        assert peer(loop.ends[0]) == target.address
        assert threading.get_ident() not in dns.threads
        assert loop.unreachable() == 0


def test_name_that_does_not_resolve_at_the_start_is_looked_up_again(loop: Loop) -> None:
    with server() as (_, target):
        dns = ScriptedDns()
        dns.answer = OSError(-2, "Name or service not known")
        upstream = loop.upstream(dns)
        loop.client(upstream)
        loop.run_until(
            lambda: upstream.reachability.reason and "not known" in upstream.reachability.reason, "a failure"
        )
        assert loop.ends == []
        dns.answer = (target,)
        loop.run_until(lambda: loop.ends, "the client to be connected")
        assert dns.started == 2


def test_new_address_is_used_after_a_failure_without_losing_the_client(loop: Loop) -> None:
    with server() as (_, target):
        dns = ScriptedDns(target)
        upstream = loop.upstream(dns)
        loop.client(upstream)
        loop.run_until(lambda: loop.ends, "the first client to be connected")
    after = loop.reactor.now() + LOOKUP_INTERVAL
    loop.run_until(lambda: loop.reactor.now() > after, "another lookup to be allowed")
    with server() as (_, moved):
        dns.answer = (moved,)
        loop.client(upstream)
        loop.run_until(lambda: len(loop.ends) == 2, "the second client to be connected")
        assert peer(loop.ends[1]) == moved.address
        assert loop.page.words[at.connection("connect_failures")] == 1


@pytest.mark.long
def test_new_address_is_used_after_silence_of_the_old_one(loop: Loop) -> None:
    with silent_upstream() as silent, server() as (_, moved):
        dns = ScriptedDns(Target(socket.AF_INET, silent))
        upstream = loop.upstream(dns, wait=4 * SECOND)
        loop.run_until(lambda: upstream.targets, "the first lookup")
        loop.client(upstream)
        dns.answer = (moved,)
        loop.run_until(lambda: loop.ends, "the client to be connected")
        assert peer(loop.ends[0]) == moved.address


def test_same_address_after_a_failure_refuses_the_client(loop: Loop) -> None:
    with server() as (_, target):
        dns = ScriptedDns(target)
        upstream = loop.upstream(dns)
        loop.client(upstream)
        loop.run_until(lambda: loop.ends, "the first client to be connected")
    loop.client(upstream)
    loop.client(upstream)
    loop.run_until(lambda: len(loop.ends) == 3, "the clients to be refused")
    assert loop.ends[1:] == [Refusal.UPSTREAM, Refusal.UPSTREAM]
    assert loop.unreachable() == 1


def test_a_lookup_that_ends_in_a_defect_is_reported_and_repeated(loop: Loop) -> None:
    with server() as (_, target):
        dns = ScriptedDns(target)
        dns.answer = UnicodeError("a label is too long")
        upstream = loop.upstream(dns)
        loop.run_until(lambda: "UnicodeError" in (upstream.reachability.reason or ""), "the reason")
        dns.answer = (target,)
        loop.client(upstream)
        loop.run_until(lambda: loop.unreachable() == 0, "the upstream to be reached")


def test_a_lookup_that_gets_no_thread_is_reported_and_repeated(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with server() as (_, target):
        dns = ScriptedDns(target)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", no_thread)
            upstream = loop.upstream(dns)
            loop.run_until(lambda: "no thread can be started" in (upstream.reachability.reason or ""), "the reason")
        loop.client(upstream)
        loop.run_until(lambda: loop.unreachable() == 0, "the upstream to be reached")


def test_one_lookup_runs_at_a_time(loop: Loop) -> None:
    dns = ScriptedDns(gone())
    dns.gate.clear()
    upstream = loop.upstream(dns)
    for _ in range(20):
        loop.client(upstream)
    later = loop.reactor.now() + SECOND // 2
    loop.run_until(lambda: loop.reactor.now() > later, "several probes to be due")
    assert dns.started == 1
    dns.gate.set()


def test_hanging_lookup_is_bounded_for_clients(loop: Loop) -> None:
    dns = ScriptedDns(gone())
    dns.gate.clear()
    upstream = loop.upstream(dns, wait=0)
    loop.client(upstream)
    loop.run_until(lambda: loop.ends, "the client to be refused")
    assert loop.ends == [Refusal.UPSTREAM]
    loop.run_until(lambda: "lookup" in str(upstream.reachability.reason), "the reason")
    dns.gate.set()


def test_address_that_accepted_is_tried_first(loop: Loop) -> None:
    with server() as (_, target):
        refusing = gone()
        upstream = loop.upstream(ScriptedDns(refusing, target))
        loop.client(upstream)
        loop.run_until(lambda: loop.ends, "the client to be connected")
        assert upstream.targets == (target, refusing)
        assert loop.page.words[at.connection("connect_failures")] == 0


def test_failures_are_counted_and_logged_once(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "pilotfish.proxy")
    upstream = Upstream(loop.reactor, loop.page, Address(*gone().address), 0)
    upstream.start()
    loop.run_until(lambda: loop.page.words[at.connection("connect_failures")] == 2, "two probes")
    assert [record.getMessage().split(";")[0] for record in caplog.records] == [
        f"upstream {upstream.address} is unreachable: Connection refused"
    ]


def test_connection_of_a_socket_to_itself_is_recognised() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.connect(sock.getsockname())
        assert is_connected_to_itself(sock)
    with server() as (_, target), socket.create_connection(("127.0.0.1", target.address[1])) as stream:
        assert not is_connected_to_itself(stream)


def test_attempt_is_cancelled_without_a_call(loop: Loop) -> None:
    ends: list[object] = []
    with server() as (_, target):
        until = loop.reactor.now() + HOUR
        attempt = ConnectAttempt(
            loop.reactor, Deadlines(loop.reactor), (target,), until, lambda *end: ends.append(end), ends.append
        )
        attempt.start()
        attempt.cancel()
        later = loop.reactor.now() + SECOND // 20
        loop.run_until(lambda: loop.reactor.now() > later, "events to arrive")
    assert ends == []


def test_ip_addresses_and_paths_need_no_lookup() -> None:
    assert literal_targets(Address("127.0.0.1", 80)) == (Target(socket.AF_INET, ("127.0.0.1", 80)),)
    assert literal_targets(Address("::1", 80)) == (Target(socket.AF_INET6, ("::1", 80, 0, 0)),)
    assert literal_targets(Address("", 0, "/run/x")) == (Target(socket.AF_UNIX, "/run/x"),)
    assert literal_targets(Address("localhost", 80)) == ()
    assert literal_targets(Address("x" * 70, 80)) == ()


def test_unusable_name_is_an_error_of_the_system() -> None:
    with pytest.raises(OSError, match="not a valid host name"):
        resolve(Address("x" * 70, 80))
    with suppress(OSError):  # a machine without DNS
        assert resolve(Address("localhost", 80))
