"""What the controller may connect to: hosts of the allow-list, and no internal address in any form."""

from __future__ import annotations

import asyncio
import socket
import time
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.control.webhook.addresses import AddressRules, networks_of
from pilotfish.sidecar.control.webhook.delivery import DeliveryResult
from pilotfish.sidecar.control.webhook.sender import WebhookSender, WebhookTarget
from tests.control.receiver import receiving
from tests.support.waiting import patient

API_SERVER = ip_address("10.96.0.1")
RULES = AddressRules(("*",), networks_of(("192.168.0.0/16", "fd12::/16")), frozenset((API_SERVER,)))
INTERNAL = (
    "0.0.0.0",
    "10.96.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.0.3",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.170.2",
    "192.168.7.7",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
)
EXTERNAL = ("8.8.8.8", "10.96.0.2", "172.16.0.1", "2606:4700::1111", "fd00::1")


@pytest.mark.parametrize(
    "address", [*INTERNAL, "::", "::1", "fe80::1%eth0", "ff02::1", "fd00:ec2::254", "fd12::9", "x"]
)
def test_an_internal_address_is_refused(address: str) -> None:
    assert RULES.address_problem(address)


@pytest.mark.parametrize("address", EXTERNAL)
def test_another_address_is_allowed(address: str) -> None:
    assert RULES.address_problem(address) == ""


@pytest.mark.parametrize("address", INTERNAL)
def test_an_internal_address_within_an_ipv6_address_is_refused(address: str) -> None:
    value = int(IPv4Address(address))
    forms = (
        0xFFFF << 32 | value,  # mapped
        0x64FF9B << 96 | value,  # NAT64
        0x64FF9B0001 << 80 | (value >> 16) << 64 | (value & 0xFFFF) << 40,  # NAT64 with a local prefix, RFC 6052
        0x2002 << 112 | value << 80,  # 6to4
        0x20010000 << 96 | value ^ 0xFFFFFFFF,  # Teredo
        0x20010DB8 << 96 | 0x5EFE << 32 | value,  # ISATAP
        value,  # compatible
    )
    for form in forms:
        assert RULES.address_problem(str(IPv6Address(form))), IPv6Address(form)


@given(st.ip_addresses())
def test_a_mapped_address_is_refused_like_the_address_itself(address: IPv4Address | IPv6Address) -> None:
    problem = RULES.address_problem(str(address))
    if isinstance(address, IPv4Address):
        mapped = str(IPv6Address(0xFFFF << 32 | int(address)))
        assert bool(RULES.address_problem(mapped)) == bool(problem)


@given(st.text())
def test_any_text_has_an_answer(text: str) -> None:
    assert isinstance(RULES.address_problem(text), str)
    assert isinstance(RULES.host_problem(text), str)


@pytest.mark.parametrize(
    ("pattern", "url", "allowed"),
    [
        ("hooks.example", "https://hooks.example/x", True),
        ("hooks.example", "https://HOOKS.example.:8443/x", True),
        ("Hooks.Example", "https://hooks.example/", True),
        ("hooks.example", "https://hooks.example.evil/", False),
        ("hooks.example", "https://hooks.example@evil/", False),
        ("hooks.example", "https://evil/?hooks.example", False),
        ("*.example", "https://a.b.example/", True),
        ("*.example", "https://example/", False),
        ("*.example", "https://xexample/", False),
        ("2001:db8::1", "https://[2001:db8::1]/", True),
        ("hooks.example", "https://[", False),
        ("hooks.example", "", False),
    ],
)
def test_a_host_must_match_a_pattern(pattern: str, url: str, *, allowed: bool) -> None:
    problem = AddressRules((pattern,)).host_problem(url)
    assert (problem == "") == allowed
    assert AddressRules().host_problem(url)


def send(url: str, rules: AddressRules | None) -> DeliveryResult:
    target = WebhookTarget(url, None, patient(5.0), rules=rules)
    return asyncio.run(WebhookSender(target, agent="t", clock=time.time).send("i", "{}"))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "localhost", "[::ffff:127.0.0.1]"]
)
def test_no_form_of_a_host_reaches_a_local_receiver(host: str) -> None:
    with receiving() as receiver:
        url = receiver.url.replace("127.0.0.1", host)
        answer = send(url, AddressRules(("*",)))
        assert receiver.arrivals == []
    assert answer.status is None
    assert "the URL is refused" in answer.problem or "no request can be sent to this url" in answer.problem


def test_a_name_that_resolves_to_another_address_later_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(host: str, port: int, **_: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    with receiving() as receiver:
        monkeypatch.setattr("pilotfish.sidecar.control.webhook.resolver.socket.getaddrinfo", resolve)
        url = receiver.url.replace("127.0.0.1", "hooks.example")
        assert send(url, AddressRules(("hooks.example",))).reason == "url_refused"
        assert send(url, AddressRules(("other.example",))).reason == "url_refused"
        assert receiver.arrivals == []
        assert send(url, None) == DeliveryResult(200)


def test_a_local_document_may_name_a_local_receiver() -> None:
    with receiving() as receiver:
        assert send(receiver.url, None) == DeliveryResult(200)
