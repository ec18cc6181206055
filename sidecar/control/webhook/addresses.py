"""Which hosts and addresses the controller may send to: URLs in a document come from authors that it must not trust.

The host must be on the allow-list, and the address that is connected to must not be internal. The check is made on the
address of the socket, after the name was resolved, so a name that resolves to another address later gains nothing.
`pilotfish run` has no rules: the author of its document is its operator.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# addresses of cloud metadata and of agents of the host, beside the link-local ones
METADATA = frozenset(
    map(
        ip_address,
        ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:42::42", "fd00:ec2::254", "fd20:ce::254"),
    )
)
_NAT64 = tuple(map(IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48")))
_TRANSLATED = (*_NAT64, IPv6Network("::ffff:0:0/96"))  # only the IPv4 address within counts
_COMPATIBLE = IPv6Network("::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)  # the third quarter of an address that ends with an IPv4 address


class AddressRefusedError(OSError):
    """The rules refuse this address."""


@dataclass(frozen=True, slots=True)
class AddressRules:
    """What may be connected to.

    Attributes:
        hosts: patterns of allowed hosts, such as `hooks.example` or `*.example`. Without any, all are refused.
        networks: further addresses that are refused, such as private ones.
        forbidden: the addresses of the API server.
    """

    hosts: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()
    forbidden: frozenset[Address] = frozenset()

    def host_problem(self, url: str) -> str:
        """Return why the host of `url` is refused; empty if it is allowed."""
        try:
            host = plain_host(urlsplit(url).hostname or "")
        except ValueError:
            host = ""
        if host and any(fnmatchcase(host, plain_host(pattern)) for pattern in self.hosts):
            return ""
        return "its host is not on the controller's allow-list; add it to --allow-webhook-host"

    def address_problem(self, address: str) -> str:
        """Return why `address` is refused; empty if it is allowed. Embedded IPv4 addresses are checked, too."""
        try:
            found = ip_address(address.partition("%")[0])
        except ValueError:
            return "it is not an IP address"
        inner = tuple(embedded(found))
        translated = isinstance(found, IPv6Address) and any(found in network for network in _TRANSLATED)
        return next(filter(None, map(self._problem, inner if translated else (found, *inner))), "")

    def _problem(self, address: Address) -> str:
        if address in METADATA:
            return "it serves the metadata of the cloud"
        if address in self.forbidden:
            return "it is an address of the API server"
        for name in ("loopback", "link_local", "unspecified", "multicast", "reserved"):
            if getattr(address, f"is_{name}"):
                return f"it is {name.replace('_', '-')}"
        if any(address in network for network in self.networks if network.version == address.version):
            return "it is in a network that the controller must not reach"
        return ""


class AddressCheck:
    """Called with each address before it is connected to. `problem` is why the last one was refused, else empty."""

    def __init__(self, rules: AddressRules | None) -> None:
        self._rules = rules
        self.problem = ""

    def __call__(self, address: str) -> None:
        """Raise AddressRefusedError if the rules refuse `address`; without rules, none is refused."""
        problem = self._rules.address_problem(address) if self._rules is not None else ""
        if problem:
            self.problem = f"the address of its host is refused: {problem}"
            raise AddressRefusedError(self.problem)


def plain_host(host: str) -> str:
    """Return `host` in the form that is compared: lower case, without brackets, zone and final dot."""
    return host.lower().strip("[]").partition("%")[0].rstrip(".")


def networks_of(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return the networks in CIDR form; raise ValueError."""
    return tuple(ip_network(text) for text in texts)


def embedded(address: Address) -> Iterator[Address]:
    """Yield the IPv4 addresses to which a gateway may translate an IPv6 address."""
    if isinstance(address, IPv4Address):
        return
    last = IPv4Address(int(address) & 0xFFFFFFFF)
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if any(address in network for network in _NAT64):
        yield last
        yield from _middle(address)
    if address in _COMPATIBLE and int(address) > 1:
        yield last
    if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        yield last


def _middle(address: IPv6Address) -> Iterator[IPv4Address]:
    """Yield the IPv4 address of a NAT64 prefix with 48 bits (RFC 6052): bits 48 to 63 and 72 to 87."""
    value = int(address)
    yield IPv4Address(((value >> 64) & 0xFFFF) << 16 | (value >> 40) & 0xFFFF)
