"""Chooses where a server of the cluster has its certificate from, by its options."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import UsageError
from ..kube.client import Kube
from ..serving.tls import TlsFiles
from .source import CertificateSource


def add_certificate_arguments(parser: argparse.ArgumentParser, service: str) -> None:
    """Add the options of a server that is reached through the Service `service`."""
    add = parser.add_argument
    add(
        "--tls-cert", type=Path, metavar="FILE",
        help="certificate of --listen, PEM; read again when it changes (default: a certificate in memory, signed by "
        "the authority in the Secret pilotfish-ca)",
    )  # fmt: skip
    add("--tls-key", type=Path, metavar="FILE", help="private key of --tls-cert, PEM")
    add(
        "--service", default=service, metavar="NAME",
        help="name of the Service, for which the certificate in memory is issued (default %(default)s)",
    )  # fmt: skip


def parse_tls_files(args: argparse.Namespace) -> TlsFiles | None:
    """Return the files of --tls-cert and --tls-key, None without them; raise UsageError for one of them alone."""
    if (args.tls_cert is None) != (args.tls_key is None):
        raise UsageError("--tls-cert and --tls-key belong together: give both, or neither for a certificate in memory")
    return None if args.tls_cert is None else TlsFiles(args.tls_cert, args.tls_key)


def choose_certificates(
    kube: Kube, namespace: str, service: str, files: TlsFiles | None, authorities: Path | None = None
) -> CertificateSource:
    """Return the source of the certificate of `service`: `files` if there are any, else the authority in `namespace`.

    `authorities` is the file with what clients must trust, beside `files`. Raises UsageError.
    """
    try:
        from .authority import Authority, service_names
        from .files import CertificateFiles
    except ImportError as error:
        raise UsageError(
            "certificates cannot be read or issued: the package 'cryptography' is missing; "
            "install Pilotfish with the extra 'cluster': pip install 'pilotfish[cluster]'"
        ) from error
    if files is not None:
        return CertificateFiles(files, authorities)
    return Authority(kube.unguarded(), namespace, service_names(service, namespace))
