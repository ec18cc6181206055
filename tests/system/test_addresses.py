"""Parsing and formatting of addresses."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.system.addresses import Address, AddressError, local_address, parse_address
from tests.support.examples import examples

TCP = [
    ("127.0.0.1:80", Address("127.0.0.1", 80)),
    ("localhost:0", Address("localhost", 0)),
    ("h:65535", Address("h", 65535)),
    ("[::1]:8080", Address("::1", 8080)),
    ("[fe80::1%eth0]:1", Address("fe80::1%eth0", 1)),
]
MORE = [(":8080", Address("", 8080)), ("unix:/run/x y.sock", Address("", 0, "/run/x y.sock"))]
WRONG = [
    "", ":", "80", "host", "host:", "host:65536", "host:999999", "host:-1", "host:+1", "host:1 ", " host:1", "h ost:1",
    "::1:80", "a:b:1", "[::1]", "[::1", "[]:1", "[::1]80", "u@h:1", "h:1/path", "http://h:1", "h:٣", "h:1\n",
]  # fmt: skip


@pytest.mark.parametrize(("text", "address"), TCP)
def test_host_and_port_are_parsed_and_formatted_back(text: str, address: Address) -> None:
    assert parse_address(text) == parse_address(text, any_host="all addresses", unix=True) == address
    assert (str(address), address.pair) == (text, (address.host, address.port))


@pytest.mark.parametrize(("text", "address"), MORE)
def test_optional_forms_need_the_permission_of_the_caller(text: str, address: Address) -> None:
    assert parse_address(text, any_host="all addresses", unix=True) == address
    assert str(address) == text
    with pytest.raises(AddressError):
        parse_address(text)


@pytest.mark.parametrize("text", WRONG)
def test_invalid_addresses_are_refused(text: str) -> None:
    for allowed in (False, True):
        with pytest.raises(
            AddressError, match=r"(is not an address|is a URL|has no port).* write HOST:PORT \(127\.0\.0\.1:9797\)"
        ):
            parse_address(text, any_host="all addresses" if allowed else "", unix=allowed)


@pytest.mark.parametrize(
    "host", ["x" * 64, "a..b", ".", "x." * 127 + "x", "\udcff", "[nowhere]", "[127.0.0.1]", "[::1::]", "[:1%eth0]"]
)
def test_hosts_that_no_lookup_can_find_are_refused(host: str) -> None:
    with pytest.raises(AddressError, match="not a host name or IP address"):
        parse_address(f"{host}:80")


@pytest.mark.parametrize("host", ["x" * 63, "a.b.", "model_server", "bücher.example", "x." * 126 + "x", "10.0.0.1"])
def test_hosts_that_dns_can_look_up_are_accepted(host: str) -> None:
    assert parse_address(f"{host}:80").host == host


def test_the_error_names_the_option_the_value_and_the_allowed_forms() -> None:
    with pytest.raises(AddressError) as raised:
        parse_address("nine", what="--admin")
    assert str(raised.value) == (
        "--admin 'nine': has no port; write HOST:PORT (127.0.0.1:9797) or [IPV6]:PORT ([::1]:9797)"
    )
    with pytest.raises(AddressError, match=r"'http://h:80/v1': is a URL and .* leave out http:// .* write HOST:PORT"):
        parse_address("http://h:80/v1")
    with pytest.raises(AddressError, match=r"\[IPV6\]:PORT .*, :PORT \(all addresses\) or unix:/path"):
        parse_address("nine", any_host="all addresses", unix=True)


@pytest.mark.parametrize("text", ["h", "model-server", "a.b.", "127.0.0.1", "[::1]", "localhost"])
def test_a_missing_port_is_named(text: str) -> None:
    with pytest.raises(
        AddressError, match=r"has no port; write HOST:PORT \(127\.0\.0\.1:8000\) or \[IPV6\]:PORT \(\[::1"
    ):
        parse_address(text, example="127.0.0.1:8000")


@pytest.mark.parametrize(
    ("address", "reached"),
    [
        ("0.0.0.0:0", "127.0.0.1:7"), ("0:0", "127.0.0.1:7"), (":0", "127.0.0.1:7"), ("[::]:0", "[::1]:7"),
        ("[0::0]:0", "[::1]:7"), ("10.0.0.1:7", "10.0.0.1:7"), ("[fe80::1%eth0]:7", "[fe80::1%eth0]:7"),
        ("models:7", "models:7"),
    ],
)  # fmt: skip
def test_a_server_on_all_addresses_is_reached_on_the_loopback_address(address: str, reached: str) -> None:
    assert str(local_address(parse_address(address, any_host="all addresses"), 7)) == reached


@pytest.mark.parametrize("path", ["", "/" + "x" * 107, "/" + "é" * 54])
def test_a_socket_path_must_fit_into_the_systems_structure(path: str) -> None:
    with pytest.raises(AddressError, match="1 to 107 bytes"):
        parse_address(f"unix:{path}", unix=True)
    assert parse_address("unix:/" + "x" * 106, unix=True).path == "/" + "x" * 106


@given(
    st.text(max_size=30)
    | st.from_regex(r"\[?[0-9a-f:.%@/ ]{0,12}\]?:?[0-9]{0,6}", fullmatch=True)
    | st.text(max_size=120).map("unix:{}".format)
)
@settings(max_examples=examples(500))
def test_any_text_is_refused_or_parsed_to_an_address_that_formats_back(text: str) -> None:
    try:
        address = parse_address(text, any_host="all addresses", unix=True)
    except AddressError:
        return
    assert 0 <= address.port <= 65535
    assert parse_address(str(address), any_host="all addresses", unix=True) == address
