"""Where the Prometheus of the administrator is. No document can name another one."""

from __future__ import annotations

import argparse
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ....errors import UsageError, quote_value
from ....system.tokens import read_token

QUERY_PATH = "/api/v1/query"


@dataclass(frozen=True, slots=True)
class PrometheusEndpoint:
    """The URL of a Prometheus, without its query path.

    `ca_file` has the authorities that may sign its certificate; None trusts those of the system. `token_file` has a
    bearer token; None sends none.
    """

    url: str
    ca_file: Path | None = None
    token_file: Path | None = None

    @property
    def query_url(self) -> str:
        """The URL of instant queries."""
        return self.url.rstrip("/") + QUERY_PATH

    def headers(self) -> dict[str, str]:
        """Return the headers of a request, with the present token; raise UsageError if its file cannot be used."""
        if self.token_file is None:
            return {}
        token = read_token(self.token_file)
        if any(not 0x21 <= byte <= 0x7E for byte in token):
            raise UsageError(f"the token file {quote_value(self.token_file)} has no bearer token; write it as one word")
        return {"Authorization": f"Bearer {token.decode()}"}

    def trusted(self) -> ssl.SSLContext:
        """Return a context with the present authorities; raise UsageError if their file cannot be used."""
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:
            reason = error.strerror or "it has no certificate"
            raise UsageError(
                f"cannot use --prometheus-ca {quote_value(self.ca_file)}: {reason}; give a PEM file with certificates"
            ) from error


def add_prometheus_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the endpoint."""
    parser.add_argument(
        "--prometheus-url", default="", metavar="URL",
        help="Prometheus for the queries of scaling signals; every author of a ModelMonitor may then query it "
        "(default: none, and such signals are missing)",
    )  # fmt: skip
    parser.add_argument(
        "--prometheus-ca", type=Path, metavar="FILE",
        help="certificates of the authorities that may sign its certificate (default: those of the system)",
    )  # fmt: skip
    parser.add_argument(
        "--prometheus-token", type=Path, metavar="FILE", help="file with a bearer token for it, read before each query"
    )  # fmt: skip


def parse_endpoint(args: argparse.Namespace) -> PrometheusEndpoint | None:
    """Return the endpoint of the parsed command line, None without one; raise UsageError."""
    ca_file, token_file = args.prometheus_ca, args.prometheus_token
    if not args.prometheus_url:
        if ca_file or token_file:
            raise UsageError("--prometheus-ca and --prometheus-token need --prometheus-url; give it, or remove them")
        return None
    problem = _url_problem(args.prometheus_url)
    if problem:
        raise UsageError(f"--prometheus-url is {quote_value(args.prometheus_url)}: {problem}")
    if token_file and urlsplit(args.prometheus_url).scheme != "https":
        raise UsageError("--prometheus-token would be sent unencrypted; give an https URL, or remove the token")
    endpoint = PrometheusEndpoint(args.prometheus_url, ca_file, token_file)
    endpoint.trusted()
    return endpoint


def _url_problem(url: str) -> str:
    """Return why `url` cannot be used, and what to do; empty if it can."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return "not a URL; give one such as http://prometheus.monitoring.svc:9090"
    if not usable:
        return "not a URL of HTTP; give one such as http://prometheus.monitoring.svc:9090"
    if parts.username is not None or parts.password is not None:
        return "it has a user or a password; give a token by --prometheus-token"
    if parts.query or parts.fragment:
        return "it has a query or a fragment; give the URL before /api/v1/query"
    return ""
