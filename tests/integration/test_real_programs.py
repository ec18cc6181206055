"""nginx, curl, HAProxy and wrk: through the proxy, curl gets the same head, body and exit status as without it."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.benchmarks.proxy_contenders import child, nginx, start_nginx, start_upstream
from tests.benchmarks.proxy_load import run_wrk, wrk_script
from tests.integration.process import Proxy, answers, counted, format_address, running_proxy, seen
from tests.integration.reader import reading
from tests.support.ports import free_port
from tests.support.programs import find, needs
from tests.support.waiting import patient, wait_until

pytestmark = [pytest.mark.real, needs("curl", "haproxy", "nginx", "openssl", "wrk")]

FILE_SIZE = 5 * 1024 * 1024 + 17


@dataclass(frozen=True, slots=True)
class Site:
    """nginx, and a proxy in front of each of its ports: plain (HTTP/1.1), h2 (HTTP/2 without TLS), tls."""

    folder: Path
    ports: dict[str, int]
    proxies: dict[str, Proxy]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    (folder / "files").mkdir()
    (folder / "files" / "large").write_bytes(os.urandom(FILE_SIZE))
    (folder / "files" / "text.txt").write_text("a line that compresses well\n" * 2000)
    certificate(folder)
    ports = {name: free_port() for name in ("h2", "plain", "tls")}
    with ExitStack() as stack:
        nginx(stack, folder, servers(folder, ports), ports["plain"], "site")
        proxies = {}
        for name, port in ports.items():
            proxies[name] = stack.enter_context(running_proxy(("127.0.0.1", port), folder / f"shared-{name}"))
        yield Site(folder, ports, proxies)


def certificate(folder: Path) -> None:
    """Create a key and a self-signed certificate."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    subprocess.run(
        [*command, "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")],
        check=True,
        capture_output=True,
    )


def servers(folder: Path, ports: dict[str, int]) -> str:
    """Return the server sections of nginx: files, a fixed prediction, a small body limit, and a redirect."""
    locations = (
        f"root {folder}/files; absolute_redirect off; gzip on; gzip_types text/plain; "
        "location = /predict { default_type application/json; return 200 '{\"outputs\":[]}'; } "
        "location = /small { client_max_body_size 1k; proxy_pass http://127.0.0.1:1; } "
        "location = /moved { return 301 /text.txt; } "
        "location = /gone { return 444; } "
    )
    tls = f"ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;"
    return (
        f"server {{ listen 127.0.0.1:{ports['plain']}; {locations} }}\n"
        f"server {{ listen 127.0.0.1:{ports['h2']} http2; {locations} }}\n"
        f"server {{ listen 127.0.0.1:{ports['tls']} ssl http2; {tls} {locations} }}\n"
    )


Outcome = tuple[int, list[str], str]


def curl(port: int, path: str, *options: str, scheme: str = "http") -> Outcome:
    """Return curl's exit status, the received heads and the hash of the bodies."""
    command = ["curl", "--silent", "--noproxy", "*", "--insecure", "--max-time", "20", "--dump-header", "/dev/stderr"]
    done = subprocess.run(
        [*command, *options, f"{scheme}://localhost:{port}{path}"],
        capture_output=True,
        check=False,
        timeout=patient(30),
    )
    lines = done.stderr.decode("latin-1").splitlines()
    kept = [line.replace(str(port), "PORT") for line in lines if not line.lower().startswith("date:")]
    return done.returncode, kept, hashlib.sha256(done.stdout).hexdigest()


REQUESTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "chunked_upload": ("/predict", ("-T", "LARGE", "-X", "POST", "-H", "Transfer-Encoding: chunked")),
    "compressed": ("/text.txt", ("--compressed",)),
    "download": ("/large", ()),
    "expect_continue": ("/predict", ("--data-binary", "@LARGE", "-H", "Expect: 100-continue")),
    "follow_redirect": ("/moved", ("--location",)),
    "h2c_offered": ("/predict", ("--http2", "--data-binary", "@TEXT")),
    "head": ("/large", ("--head", "--output", "/dev/null")),  # there goes a second copy of the head, with the date
    "http_1_0": ("/text.txt", ("--http1.0",)),
    "many_on_one_connection": ("/text.txt?[1-40]", ()),
    "no_answer_but_a_close": ("/gone", ()),
    "not_modified": ("/text.txt", ("-H", "If-Modified-Since: Fri, 31 Dec 2100 23:59:59 GMT")),
    "post": ("/predict", ("--data-binary", '{"inputs":[]}')),
    "range": ("/large", ("--range", "1000-500000")),
    "refused_upload": ("/small", ("--data-binary", "@LARGE", "-H", "Expect:")),
    "slow_download": ("/large", ("--limit-rate", "4M")),
}


@pytest.mark.parametrize("name", sorted(REQUESTS))
def test_curl_gets_the_same_from_nginx(name: str, site: Site) -> None:
    path, options = REQUESTS[name]
    places = {
        "@LARGE": f"@{site.folder}/files/large",
        "@TEXT": f"@{site.folder}/files/text.txt",
        "LARGE": f"{site.folder}/files/large",
    }
    options = tuple(places.get(option, option) for option in options)
    proxy = site.proxies["plain"]
    before = proxy.page()
    through = curl(port_of(proxy), path, *options)
    direct = curl(site.ports["plain"], path, *options)
    if (
        name == "refused_upload"
    ):  # also without the proxy, the number of bytes that curl sends before the refusal varies
        assert through[1][:1] == direct[1][:1] == ["HTTP/1.1 413 Request Entity Too Large"]
    else:
        assert through == direct
    wait_until(lambda: proxy.page().connections["open"] == 0, what="the connection to end")
    after = proxy.page()
    assert counted(after) - counted(before) == seen(after) - seen(before) >= 1
    assert after.downgrades == before.downgrades


@pytest.mark.parametrize(("kind", "scheme", "reason"), [("h2", "http", "http2"), ("tls", "https", "tls")])
def test_protocols_that_the_proxy_does_not_parse_work_with_curl(
    kind: str, scheme: str, reason: str, site: Site
) -> None:
    proxy = site.proxies[kind]
    option = "--http2-prior-knowledge" if kind == "h2" else "--http2"
    through = curl(port_of(proxy), "/large", option, scheme=scheme)
    assert through == curl(site.ports[kind], "/large", option, scheme=scheme)
    assert through[0] == 0
    wait_until(lambda: proxy.page().connections["open"] == 0, what="the connection to end")
    page = proxy.page()
    assert page.downgrades[reason] == 1
    assert page.connections["opaque_bytes_out"] > FILE_SIZE


def test_curl_over_unix_sockets(site: Site, tmp_path: Path) -> None:
    path = str(tmp_path / "in.sock")
    with running_proxy(("127.0.0.1", site.ports["plain"]), tmp_path / "shared", listen=path):
        assert curl(site.ports["plain"], "/large", "--unix-socket", path) == curl(site.ports["plain"], "/large")


def test_proxy_between_two_nginx_under_load(site: Site, tmp_path: Path) -> None:
    with ExitStack() as stack:
        proxy = stack.enter_context(running_proxy(("127.0.0.1", site.ports["plain"]), tmp_path / "shared"))
        front = start_nginx(stack, tmp_path, port_of(proxy))
        script = wrk_script(tmp_path)
        script.write_text(script.read_text() + "wrk.path = '/predict'\n")
        requests = run_wrk(front.port, 2, script)
        wait_until(lambda: counted(proxy.page()) >= requests, what="all exchanges to be counted")
        page = proxy.page()
        assert page.outcomes["dropped", "aborted"] == 0
        assert not any(page.downgrades.values())


def test_haproxy_checks_and_balances_through_the_proxy(site: Site, tmp_path: Path) -> None:
    with ExitStack() as stack:
        proxy = stack.enter_context(running_proxy(("127.0.0.1", site.ports["plain"]), tmp_path / "shared"))
        port, config = free_port(), tmp_path / "haproxy.cfg"
        timeouts = "".join(f"  timeout {kind} 30s\n" for kind in ("connect", "client", "server"))
        config.write_text(
            f"defaults\n  mode http\n  http-reuse always\n{timeouts}"
            f"frontend in\n  bind 127.0.0.1:{port}\n  default_backend model\n"
            "backend model\n  option httpchk GET /predict\n"
            f"  server one {format_address(proxy.address)} check inter 100ms\n"
        )
        stack.enter_context(child([str(find("haproxy")), "-db", "-f", str(config)], tmp_path, "haproxy"))
        wait_until(lambda: answers(("127.0.0.1", port)), what="HAProxy to listen")
        assert curl(port, "/large")[2] == curl(site.ports["plain"], "/large")[2]
        assert curl(port, "/text.txt?[1-20]")[2] == curl(site.ports["plain"], "/text.txt?[1-20]")[2]
        wait_until(lambda: counted(proxy.page()) > 25, what="health checks to be counted")
        assert not any(proxy.page().downgrades.values())


def port_of(proxy: Proxy) -> int:
    """Return the TCP port of a proxy."""
    assert isinstance(proxy.address, tuple)
    return proxy.address[1]


ALL_DIFFERENT = """
local number = 0
request = function()
  number = number + 1
  local headers = {["X-Request-Id"] = "id-" .. number, ["Content-Type"] = "application/json"}
  local path = "/v2/models/m" .. (number % 5000) .. "/infer?n=" .. number
  return wrk.format("POST", path, headers, '{"inputs":[' .. number .. ']}')
end
"""


def test_memory_stays_flat_when_all_requests_differ(tmp_path: Path) -> None:
    shared, script = tmp_path / "shared", tmp_path / "different.lua"
    shared.mkdir()
    script.write_text(ALL_DIFFERENT)
    with ExitStack() as stack:
        upstream = start_upstream(stack, tmp_path)
        stack.enter_context(reading(shared))
        proxy = stack.enter_context(running_proxy(("127.0.0.1", upstream), shared))
        warm = run_wrk(port_of(proxy), 3, script)
        before = proxy.resident_kib()
        requests = run_wrk(port_of(proxy), 6, script)
        assert proxy.resident_kib() - before < 1024
        assert proxy.resident_kib() < 32 * 1024
        wait_until(lambda: not proxy.page().connections["open"], what="the connections to end")
        assert counted(proxy.page()) == seen(proxy.page()) >= warm + requests
        assert len(proxy.page().routes) <= 32
