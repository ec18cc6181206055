"""Keeps the certificate of a process that must not read the authority: in a Secret of its own, signed by the authority.

The node's Pilotfish runs beside the workloads of every node. With the key of the authority, it could serve as the
injector, and so change any pod. So the controller signs for it. All replicas of the controller look once a minute; the
first one writes, and the others find its certificate.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from ..errors import PilotfishError
from ..kube.client import Kube
from ..kube.errors import ConflictError
from ..kube.objects import SECRETS
from ..kube.read import get
from ..kube.replace import replace
from ..tasks import pause
from .authority import REFRESH, REPEAT, Authority, service_names
from .errors import UNUSABLE
from .issuing import SigningAuthority
from .lifetimes import RENEWED_AFTER

_LOG = logging.getLogger("pilotfish.certificates")

CERTIFICATE, KEY = "tls.crt", "tls.key"


class IssuedCertificate:
    """Keeps the Secret `SERVICE-tls` in `namespace` with a certificate of the Service `service`.

    Attributes:
        problem: why the certificate cannot be kept current; empty otherwise.
    """

    def __init__(
        self,
        kube: Kube,
        authority: Authority,
        namespace: str,
        service: str,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.problem = ""
        self._kube = kube
        self._authority = authority
        self._place = (namespace, f"{service}-tls")
        self._names = service_names(service, namespace)
        self._now = now

    async def run(self, stop: asyncio.Event) -> None:
        """Keep the certificate current until `stop` is set; the authority has started before."""
        while not stop.is_set():
            try:
                await self.refresh()
            except PilotfishError as error:
                text = f"the certificate in the Secret {'/'.join(self._place)} cannot be kept: {error}"
                if text != self.problem:
                    _LOG.error("%s", text)
                self.problem = text
            else:
                self.problem = ""
            await pause(stop, REPEAT if self.problem else REFRESH)

    async def refresh(self) -> None:
        """Write a new certificate if the present one is due, damaged, or not of a present authority.

        Raises KubeError and CertificateError.
        """
        namespace, name = self._place
        found = await get(self._kube, SECRETS, name, namespace)
        data: dict[str, Any] = found.get("data") or {}
        if fits(data, self._authority.authorities, self._names[0], self._now()):
            return
        issued = self._authority.sign(self._names, self._now())
        entries = {CERTIFICATE: issued.certificate, KEY: issued.key}
        written = {key: base64.b64encode(value).decode() for key, value in entries.items()}
        try:
            await replace(self._kube, SECRETS, {**found, "data": {**data, **written}})
        except ConflictError:
            return  # another replica wrote one; the next look reads it
        self._authority.issued[name] += 1
        _LOG.info("the Secret %s has a new certificate", "/".join(self._place))


def fits(data: Mapping[str, Any], authorities: tuple[SigningAuthority, ...], name: str, now: float) -> bool:
    """Return whether the certificate in a Secret may stay: of a present authority, for `name`, and not due. Pure."""
    try:
        certificate = x509.load_pem_x509_certificate(base64.b64decode(str(data.get(CERTIFICATE, ""))))
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        if not data.get(KEY) or name not in names.get_values_for_type(x509.DNSName):
            return False
    except UNUSABLE:
        return False
    begins, ends = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
    if not begins <= now < begins + RENEWED_AFTER * (ends - begins):
        return False
    return any(_signed(certificate, one.certificate) for one in authorities)


def _signed(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
