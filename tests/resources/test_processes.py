"""Processes and sockets in /proc: names with any bytes, trees, owners of a listening socket, damaged lines."""

from __future__ import annotations

import ipaddress
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.resources import listeners, processes
from pilotfish.sidecar.resources.listeners import ListeningSocket
from pilotfish.sidecar.resources.processes import ProcessStat, ancestors, parse_network, parse_stat, tree
from pilotfish.sidecar.system.addresses import Address
from tests.support.waiting import wait_until

STAT = "42 (a) b (c)) S 7 42 7 0 -1 4194304 1 2 3 4 150 50 10 5 39 19 3 0 9000 1000000 256 18446744073709551615 1 1 0\n"
TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000
   1: 00000000:2382 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000000000000000
   2: 0100007F:1F90 0100007F:D2F0 01 00000000:00000000 00:00000000 00000000     0        0 4713 1 0000000000000000
"""
_NONE, _REST = "0" * 32, "0A 00000000:00000000 00:00000000 00000000     0        0"
TCP6 = f"""\
  sl  local_address                         rem_address                        st tx_queue rx_queue tr tm->when
   0: {_NONE}:1F91 {_NONE}:0000 {_REST} 5001 1
   1: 0000000000000000FFFF00000100007F:1F92 {_NONE}:0000 {_REST} 5002 1
"""
UNIX = """\
Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 6001 /run/model server.sock
0000000000000000: 00000003 00000000 00000000 0001 03 6002 /run/model server.sock
0000000000000000: 00000002 00000000 00010000 0001 01 6003
"""
LOCAL = ipaddress.ip_address("127.0.0.1")


def process(pid: int, parent: int) -> ProcessStat:
    return ProcessStat(pid, parent, 1, 0, 1, 0)


def test_a_stat_is_parsed_whatever_the_name_of_the_process() -> None:
    found = parse_stat(STAT)
    assert found == ProcessStat(42, 7, 9000, 215 * processes.TICK_NS, 3, 256 * processes.PAGE, "a) b (c)")


def test_trees_and_ancestors_are_found_in_loops_too() -> None:
    known = {
        each.pid: each
        for each in (process(1, 0), process(2, 1), process(3, 2), process(4, 1), process(5, 6), process(6, 5))
    }
    assert tree([2], known) == {2, 3}
    assert tree([1, 99], known) == {1, 2, 3, 4}
    assert ancestors(3, known) == {2, 1}
    assert ancestors(5, known) == {5, 6}
    assert tree([5], known) == {5, 6}


def test_network_bytes_leave_loopback_out() -> None:
    table = (
        "Inter-|   Receive                                                |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets\n"
        "    lo: 900 1 0 0 0 0 0 0 900 1 0 0 0 0 0 0\n"
        "  eth0:1000 5 0 0 0 0 0 0 300 2 0 0 0 0 0 0\n"
        "  eth1: 10 5 0 0 0 0 0 0 3 2 0 0 0 0 0 0\n"
    )
    assert parse_network(table) == (1010, 303)
    assert parse_network("") is None


@pytest.mark.skipif(sys.byteorder != "little", reason="the recorded tables are those of a little-endian machine")
def test_listening_sockets_are_parsed() -> None:
    assert listeners.parse_tcp(TCP) == [
        ListeningSocket(LOCAL, 8080, 4711),
        ListeningSocket(ipaddress.ip_address("0.0.0.0"), 9090, 4712),
    ]
    assert listeners.parse_tcp(TCP6) == [
        ListeningSocket(ipaddress.ip_address("::"), 8081, 5001),
        ListeningSocket(LOCAL, 8082, 5002),
    ]
    assert listeners.parse_unix(UNIX) == {"/run/model server.sock": 6001}


@pytest.mark.parametrize(
    ("port", "inodes"), [(8080, {4711}), (9090, {4712}), (8081, {5001}), (8082, {5002}), (1, set())]
)
def test_sockets_of_one_or_all_addresses_accept_connections(tmp_path: Path, port: int, inodes: set[int]) -> None:
    (tmp_path / "net").mkdir()
    for name, content in (("tcp", TCP), ("tcp6", TCP6), ("unix", UNIX)):
        (tmp_path / "net" / name).write_text(content)
    assert listeners.inodes_at(Address("127.0.0.1", port), {LOCAL}, tmp_path) == inodes
    assert listeners.inodes_at(Address("10.0.0.9", port), set(), tmp_path) == set()
    assert listeners.inodes_at(Address("", 0, "/run/model server.sock"), set(), tmp_path) == {6001}


LISTEN = """
import socket, sys
server = socket.create_server(("", 0), family=getattr(socket, sys.argv[1]))
print(server.getsockname()[1], flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6"])
def test_the_owner_of_a_real_listening_socket_is_found(family: str) -> None:
    command = [sys.executable, "-c", LISTEN, family]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        try:
            port = int(child.stdout.readline())
            address = Address("127.0.0.1", port)
            hosts = listeners.own_addresses(address)
            assert listeners.owners(listeners.inodes_at(address, hosts or ())) == {child.pid}
            assert listeners.own_addresses(Address("192.0.2.1", port)) == set()  # TEST-NET-1: of no machine
        finally:
            child.kill()
    wait_until(lambda: not listeners.inodes_at(address, hosts or ()), timeout=5, what="the socket to be gone")


def test_a_process_reads_itself() -> None:
    found = processes.read_process(os.getpid())
    assert found is not None
    assert found.parent == os.getppid()
    assert os.getpid() in processes.list_processes()
    assert processes.read_process(2**22 + 1) is None


def test_a_name_that_cannot_be_looked_up_has_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert listeners.own_addresses(Address("nowhere.invalid", 1)) is None


lines = st.lists(
    st.sampled_from([STAT, *TCP.splitlines(), *TCP6.splitlines(), *UNIX.splitlines(), "0: ZZ:1 x 0A a a a a a x"])
)
texts = st.one_of(st.text(), lines.map("\n".join), st.text().map(lambda text: TCP + text))


@given(texts)
def test_no_text_stops_the_parsers(text: str) -> None:
    parse_stat(text)
    parse_network(text)
    assert all(listener.port >= 0 for listener in listeners.parse_tcp(text))
    listeners.parse_unix(text)
