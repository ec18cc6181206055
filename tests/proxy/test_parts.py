"""The parts of the data plane that need no connection: sampler, capture, addresses, health responses."""

import argparse
import errno
import json
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.channel import layout as at
from pilotfish.sidecar.channel.page import CounterPage
from pilotfish.sidecar.channel.sender import Sender
from pilotfish.sidecar.errors import UsageError
from pilotfish.sidecar.proxy import health
from pilotfish.sidecar.proxy.arguments import add_pair_arguments, parse_endpoint, parse_pairs
from pilotfish.sidecar.proxy.capture import BODY_END, STREAM_BEGIN, STREAM_END, BodyCapture, CaptureBudget
from pilotfish.sidecar.proxy.channel_writer import ChannelWriter
from pilotfish.sidecar.proxy.connections import ConnectionManager
from pilotfish.sidecar.proxy.health import PATHS, HealthServer
from pilotfish.sidecar.proxy.listener import Listener
from pilotfish.sidecar.proxy.reactor import SECOND, Reactor
from pilotfish.sidecar.proxy.sampler import BURST_SECONDS, Sampler
from pilotfish.sidecar.proxy.sockets import KEEPALIVE, listen
from pilotfish.sidecar.system.addresses import Address, parse_address
from tests.support.waiting import patient


def accepted(listener: socket.socket) -> socket.socket:
    """Return the next connection."""
    listener.setblocking(True)
    return listener.accept()[0]


PATHS_TEXT = [path.decode() for path in PATHS]


@given(st.integers(1, 5000), st.lists(st.integers(0, SECOND // 100), max_size=400))
def test_sampler_admits_at_most_its_rate_and_its_burst(rate: int, steps: list[int]) -> None:
    sampler, now, admitted = Sampler(rate), 10**12, 0
    begin = now
    for step in steps:
        now += step
        admitted += sampler.admit(now)
    assert admitted <= rate * (now - begin) / SECOND + max(1, rate * BURST_SECONDS) + 1


def test_sampler_reaches_its_rate_under_load_and_admits_nothing_at_zero() -> None:
    sampler = Sampler(2000)
    assert 19_900 <= sum(sampler.admit(now) for now in range(0, 10 * SECOND, SECOND // 10_000)) <= 20_250
    sampler.set_rate(0)
    assert not sampler.admit(10**15)


@given(
    st.lists(st.tuples(st.booleans(), st.binary(max_size=50)), max_size=40), st.integers(0, 400), st.integers(0, 300)
)
def test_capture_keeps_beginnings_within_limit_and_budget(
    portions: list[tuple[bool, bytes]], budget: int, limit: int
) -> None:
    shared = CaptureBudget(budget)
    capture = BodyCapture(shared, limit)
    for is_request, data in portions:
        (capture.request if is_request else capture.response)(data)
    sent = {side: b"".join(data for is_request, data in portions if is_request == side) for side in (True, False)}
    kept = {True: b"".join(capture.request_body), False: b"".join(capture.response_body)}
    assert 0 <= shared.used <= budget
    if capture.exhausted:
        assert (shared.used, kept) == (0, {True: b"", False: b""})
    else:
        ends = {True: b"", False: sent[False][limit:][-limit:] if limit else b""}
        assert kept == {side: body[:limit] + ends[side] for side, body in sent.items()}
        assert capture.request_truncated == (len(sent[True]) > limit)
        assert capture.response_truncated == (len(sent[False]) > limit)
    capture.release()
    assert shared.used == 0


def test_capture_keeps_large_reads_as_they_are_and_joins_small_ones() -> None:
    capture = BodyCapture(CaptureBudget(), 1 << 20)
    read = bytes(64 * 1024)
    for data in (read, *[b"x"] * 40_000, read):
        capture.request(data)
    pieces = capture.request_body
    assert b"".join(pieces) == read + b"x" * 40_000 + read
    assert (pieces[0] is read, pieces[-1] is read, len(pieces)) == (True, True, 5)


def test_capture_of_a_stream_keeps_its_beginning_and_its_end() -> None:
    budget = CaptureBudget()
    capture = BodyCapture(budget, 1 << 20)
    capture.is_stream = True
    stream = b"".join(b"event %08d\n" % index for index in range(20_000))
    for start in range(0, len(stream), 997):
        capture.response(stream[start : start + 997])
    assert b"".join(capture.response_body) == stream[:STREAM_BEGIN] + stream[-STREAM_END:]
    assert capture.response_truncated
    assert budget.used == STREAM_BEGIN + STREAM_END
    capture.release()
    assert budget.used == 0


@pytest.mark.parametrize("before", [0, 1, STREAM_BEGIN - 9, STREAM_BEGIN, STREAM_BEGIN + 5, 3 * STREAM_END])
@pytest.mark.parametrize(
    ("end", "done"),
    [
        (b"data: [DONE]\n\n", True),
        (b"data:[DONE]\r\n\r\n", True),
        (b"data: [DONE]\n", True),
        (b"data: [DONE]", False),
        (b"data: [DONE]\n\ndata: 1\n\n", False),
        (b"data: more [DONE]\n\n", False),
    ],
)
@pytest.mark.parametrize("piece", [1, 7, 5000])
def test_capture_of_a_stream_knows_its_last_event(before: int, end: bytes, done: bool, piece: int) -> None:
    stream = b"x" * before + b"\n" + end
    for is_stream in (True, False):
        capture = BodyCapture(CaptureBudget(), 1 << 20)
        capture.is_stream = is_stream
        for start in range(0, len(stream), piece):
            capture.response(stream[start : start + piece])
        assert capture.is_stream_done == (done and is_stream)


@pytest.mark.parametrize(("limit", "end"), [(10_000, BODY_END), (100, 100), (0, 0)])
def test_capture_of_a_long_response_keeps_its_beginning_and_a_short_end(limit: int, end: int) -> None:
    budget = CaptureBudget()
    capture = BodyCapture(budget, limit)
    body = b"".join(b"%07d," % index for index in range(5000))
    for start in range(0, len(body), 997):
        capture.response(body[start : start + 997])
        capture.request(body[start : start + 997])
    assert b"".join(capture.response_body) == body[:limit] + body[len(body) - end :]
    assert b"".join(capture.request_body) == body[:limit]
    assert budget.used == 2 * limit + end


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:80", Address("127.0.0.1", 80)),
        ("[::1]:8080", Address("::1", 8080)),
        (":8080", Address("", 8080)),
        ("localhost:1", Address("localhost", 1)),
        ("unix:/run/x.sock", Address("", 0, "/run/x.sock")),
    ],
)
def test_address_round_trips_through_text(text: str, address: Address) -> None:
    assert parse_address(text, any_host="all addresses", unix=True) == address
    assert str(address) == text


@pytest.mark.parametrize(
    "text", ["", "80", "host", "host:", "host:99999", "::1:80", "unix:", "unix:" + "x" * 200, "a:b:1"]
)
def test_invalid_address_is_rejected_with_the_expected_format(text: str) -> None:
    with pytest.raises(UsageError, match="address"):
        parse_address(text, any_host="all addresses", unix=True)


def test_listening_on_a_used_address_or_a_file_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with listen(Address("", 0, str(path))), pytest.raises(UsageError, match="another process"):
        listen(Address("", 0, str(path)))
    listen(Address("", 0, str(path))).close()  # the stale socket was replaced
    (tmp_path / "f").write_text("precious")
    with pytest.raises(UsageError, match="in the way"):
        listen(Address("", 0, str(tmp_path / "f")))
    with listen(Address("127.0.0.1", 0)) as tcp, pytest.raises(UsageError, match="cannot listen"):
        listen(Address(*tcp.getsockname()))


@pytest.mark.parametrize("host", ["x" * 70, "nowhere.invalid", "a..b", "\udcff", "192.0.2.1"])
def test_listening_on_a_host_that_is_not_here_is_rejected(host: str) -> None:
    with pytest.raises(UsageError, match="cannot listen on"):
        listen(Address(host, 0))


@pytest.mark.parametrize(
    ("option", "example"),
    [
        ("--health", r"127\.0\.0\.1:8081\).* :PORT \(all addresses\)"),
        ("--listen", r"127\.0\.0\.1:8080\).* :PORT \(all addresses\)"),
        ("--upstream", r"127\.0\.0\.1:8000\).* :PORT \(this machine\)"),
    ],
)
def test_each_option_has_its_own_example(option: str, example: str) -> None:
    with pytest.raises(UsageError, match=rf"{option} 'localhost': has no port; write HOST:PORT \({example}"):
        parse_endpoint("localhost", option)


def test_used_address_is_rejected_although_all_addresses_are_wanted() -> None:
    with listen(Address("", 0)) as sock, pytest.raises(UsageError, match=r"on :\d+: Address already in use; choose"):
        listen(Address("", sock.getsockname()[1]))


def test_accepted_clients_are_probed_and_send_without_delay() -> None:
    with (
        listen(Address("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()),
        accepted(listener) as client,
    ):
        assert client.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        for level, option, value in KEEPALIVE:
            assert client.getsockopt(level, option) == value


def test_channel_writer_reports_a_reader_before_its_first_byte(tmp_path: Path) -> None:
    path, changes = tmp_path / "socket", list[bool]()
    reactor = Reactor()
    with closing(reactor), socket.socket(socket.AF_UNIX) as reader:
        sender = Sender(path, 1)
        writer = ChannelWriter(reactor, sender, lambda: 1, changes.append)
        writer.start()
        assert changes == []
        reader.bind(str(path))
        reader.listen()
        writer.start()
        stream, _ = reader.accept()
        assert changes == [True]
        stream.close()
        reactor.call_later(SECOND // 20, reactor.stop)
        reactor.run()
        sender.disconnect()  # it has connected again
        assert changes[:2] == [True, False]


def test_call_from_another_thread_runs_in_the_loop_and_is_ignored_after_its_end() -> None:
    reactor, threads = Reactor(), list[int]()

    def call() -> None:
        threads.append(threading.get_ident())
        reactor.stop()

    thread = threading.Thread(target=reactor.call_from_thread, args=(call,))
    thread.start()
    reactor.run()
    thread.join()
    assert threads == [threading.get_ident()]
    reactor.close()
    reactor.call_from_thread(call)


@pytest.mark.parametrize("flag", ["--connect-wait-seconds", "--drain-seconds", "--max-connections"])
@pytest.mark.parametrize("value", ["-1", "nan", "inf", "many", "", "1e9"])
def test_limits_out_of_range_are_rejected(flag: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_pair_arguments(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["--listen", ":1", "--upstream", ":2", f"{flag}={value}"])
    assert f"argument {flag}: " in capsys.readouterr().err


def test_health_is_not_ready_with_status_503_and_alive_with_200() -> None:
    reactor = Reactor()
    with closing(reactor), socket.socket() as sock:
        server = HealthServer(reactor, sock, lambda: {"status": "draining", "ready": False})
        statuses = {path: server.answer(f"GET {path} HTTP/1.1\r\n\r\n".encode())[9:12] for path in PATHS_TEXT}
    assert statuses == {"/healthz": b"200", "/livez": b"200", "/readyz": b"503"}


def test_health_address_pauses_while_no_descriptor_is_free() -> None:
    reactor, tries = Reactor(), list[int]()
    with closing(reactor), listen(Address("127.0.0.1", 0)) as sock, socket.create_connection(sock.getsockname()):
        server = HealthServer(reactor, cast(socket.socket, WithoutDescriptors(sock, reactor, tries)), dict)
        server.start()
        reactor.run()
    assert tries[-1] - tries[0] > SECOND // 20


def test_connections_to_the_health_address_leave_nothing_behind() -> None:
    """Each closed connection stayed in memory for 5 s with its request: a flood took 150 MB in 10 s."""
    kept, answered = CountingReactor(), list[int]()

    def describe() -> dict[str, object]:
        answered.append(1)
        if len(answered) == 40:
            kept.stop()
        else:
            kept.call_later(0, call)
        return {"ready": True}

    with closing(kept), listen(Address("127.0.0.1", 0)) as sock:

        def call() -> None:
            with socket.create_connection(sock.getsockname()) as client:
                client.sendall(b"GET /healthz HTTP/1.1\r\n\r\n")

        HealthServer(kept, sock, describe).start()
        kept.call_later(0, call)
        kept.run()
    assert kept.timed <= 2


def test_connections_to_the_health_address_that_send_nothing_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "REQUEST_TIMEOUT", SECOND // 100)
    reactor, received = Reactor(), list[bytes]()
    with closing(reactor), listen(Address("127.0.0.1", 0)) as sock, ExitStack() as stack:
        HealthServer(reactor, sock, dict).start()
        for _ in range(2):
            clients = [stack.enter_context(socket.create_connection(sock.getsockname(), patient(5))) for _ in range(3)]
            waiter = threading.Thread(target=stop_after_end, args=(reactor, clients, received))
            waiter.start()
            reactor.run()
            waiter.join()
    assert received == [b""] * 6


def stop_after_end(reactor: Reactor, clients: list[socket.socket], received: list[bytes]) -> None:
    try:
        received += [client.recv(1) for client in clients]
    finally:
        reactor.call_from_thread(reactor.stop)


class CountingReactor(Reactor):
    """Counts the timers of the present and the past that are not due at once."""

    timed = 0

    def call_at(self, when: int, call: Callable[[], None]) -> None:
        self.timed += when > self.now()
        super().call_at(when, call)


class WithoutDescriptors:
    """A listening socket whose `accept` fails, because no descriptor is free. It stops the loop at the third try."""

    def __init__(self, sock: socket.socket, reactor: Reactor, tries: list[int]) -> None:
        self.fileno = sock.fileno
        self._reactor = reactor
        self._tries = tries

    def accept(self) -> tuple[socket.socket, object]:
        self._tries.append(self._reactor.now())
        if len(self._tries) == 3:
            self._reactor.stop()
        raise OSError(errno.EMFILE, "too many open files")


def test_pairs_need_as_many_upstreams_as_listeners() -> None:
    with pytest.raises(UsageError, match="2 --listen but 1 --upstream"):
        parse_pairs([":1", ":2"], [":3"])


@pytest.mark.parametrize(
    ("listen_at", "upstream"),
    [
        ("127.0.0.1:8080", "127.0.0.1:8080"),
        (":8080", "localhost:8080"),
        ("[::]:8080", "[::1]:8080"),
        ("0.0.0.0:8080", ":8080"),
        ("unix:/run/a", "unix:/run/a"),
    ],
)
def test_proxy_in_front_of_itself_is_rejected(listen_at: str, upstream: str) -> None:
    with pytest.raises(UsageError, match="itself listens there"):
        parse_pairs([":1", listen_at], [upstream, ":2"])


def test_same_port_of_another_host_is_an_upstream() -> None:
    assert len(parse_pairs(["127.0.0.1:80", ":81"], ["10.0.0.1:80", "model:81"])) == 2


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"GET /healthz HTTP/1.1\r\n\r\n", b"200 OK"),
        (b"HEAD /readyz?x HTTP/1.1\r\n\r\n", b"200 OK"),
        (b"GET /etc/passwd HTTP/1.1\r\n\r\n", b"404 Not Found"),
        (b"POST /healthz HTTP/1.1\r\n\r\n", b"405 Method Not Allowed"),
        (b"\x00\r\n\r\n", b"405 Method Not Allowed"),
    ],
)
def test_health_answers_only_get_and_head_on_its_paths(request_head: bytes, status: bytes) -> None:
    reactor = Reactor()
    with socket.socket() as sock:
        answer = HealthServer(reactor, sock, lambda: {"status": "ok", "ready": True}).answer(request_head)
    reactor.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status)
    assert (body == b"") == request_head.startswith(b"HEAD") or json.loads(body)


def test_clients_in_a_backlog_are_accepted_in_portions(tmp_path: Path) -> None:
    """Open connections wait while the listener accepts, so that one round of the loop accepts only a few."""
    page = CounterPage.open(tmp_path / "page", now_ns=1)
    sock = listen(Address("127.0.0.1", 0))
    full = ConnectionManager(page, 0, lambda: None)  # refuses every client
    listener = Listener(Reactor(), sock, cast("Any", None), cast("Any", None), full, 0)
    with closing(sock), ExitStack() as clients:
        for _ in range(20):
            clients.enter_context(socket.create_connection(sock.getsockname()))
        counts = [0]
        for _ in range(20):
            listener.accept_waiting()
            counts.append(page.words[at.connection("accepted")])
        assert max(after - before for before, after in pairwise(counts)) <= 8
        assert (counts[-1], page.words[at.connection("refused_limit")]) == (20, 20)
    page.close()
