"""The self-managed authority: kept in a Secret by compare-and-swap, it signs the certificate of this process.

Every process that serves has an `Authority` of its own. All read the same Secret once a minute, apply the law of
rotation, and write the Secret only if the law changes it. Whichever writes first wins; the others read its result. No
process needs to lead, and the key of a serving certificate never leaves its process.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import PilotfishError
from ..kube.client import Kube
from ..kube.errors import ConflictError, NotFoundError
from ..kube.objects import SECRETS
from ..kube.read import get
from ..kube.replace import replace
from ..tasks import pause
from .errors import CertificateError
from .issuing import ServingCertificate, SigningAuthority, create_authority, sign_server
from .lifetimes import SKEW
from .memory import context_of
from .rotation import Plan, plan, renewal, signer
from .secret import Trust, bundle, decode, encode

SECRET = "pilotfish-ca"  # noqa: S105  # its name
REFRESH = 60.0  # seconds between two looks at the Secret
REPEAT = 5.0  # seconds after a failure
CONFLICTS = 5  # writes of others at the same time, until the next look

_LOG = logging.getLogger("pilotfish.certificates")


def service_names(service: str, namespace: str) -> tuple[str, ...]:
    """Return the names by which a server is reached: those of its Service, and the loopback of a port-forward."""
    full = f"{service}.{namespace}.svc"
    return (full, service, f"{service}.{namespace}", f"{full}.cluster.local", "localhost", "127.0.0.1", "::1")


class Authority:
    """A CertificateSource for a server that is reached by `names`, signed by the authority in `namespace`/`secret`.

    Attributes:
        problem: why the certificates cannot be kept current; empty otherwise.
        issued: how many certificates this process has made, by name: `authority` and `serving`.
    """

    def __init__(
        self,
        kube: Kube,
        namespace: str,
        names: Sequence[str],
        *,
        secret: str = SECRET,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.problem = ""
        self.issued: Counter[str] = Counter()
        self._kube = kube
        self._place = (namespace, secret)
        self._names = tuple(names)
        self._now = now
        self._authorities: tuple[SigningAuthority, ...] = ()
        self._bundle = b""
        self._serving: ServingCertificate | None = None
        self._context: ssl.SSLContext | None = None

    @property
    def bundle(self) -> bytes:
        """The certificates of all authorities in the Secret, PEM; empty before the first look."""
        return self._bundle

    @property
    def authorities(self) -> tuple[SigningAuthority, ...]:
        """The authorities in the Secret, newest first; empty before the first look."""
        return self._authorities

    @property
    def serving(self) -> ServingCertificate | None:
        """The certificate that new connections get; None before the first one."""
        return self._serving

    def current(self) -> ssl.SSLContext:
        """Return the context for a new connection; `start` has returned before."""
        assert self._context is not None
        return self._context

    def expiries(self) -> Mapping[str, float]:
        """Return when the newest authority and the serving certificate expire, in epoch seconds."""
        found = {"authority": self._authorities[0].expires} if self._authorities else {}
        return found | ({"serving": self._serving.expires} if self._serving is not None else {})

    async def start(self, stop: asyncio.Event) -> bool:
        """Look at the Secret until there is a certificate; return False if `stop` was set before."""
        while not stop.is_set():
            if await self._look() and self._context is not None:
                return True
            await pause(stop, REPEAT)
        return False

    async def run(self, stop: asyncio.Event) -> None:
        """Keep authority and certificate current until `stop` is set; `start` has returned before."""
        while not stop.is_set():
            await pause(stop, REPEAT if self.problem else REFRESH)
            await self._look()

    async def refresh(self) -> None:
        """Read the Secret, bring it up to the law of rotation, and renew the serving certificate if it is due.

        Raises KubeError and CertificateError; the certificate in force then stays.
        """
        now = self._now()
        self._authorities = await self._settle(now)
        self._bundle = bundle(self._authorities)
        if not self._fits(now):
            self._sign(now)

    async def _look(self) -> bool:
        """Refresh, and keep the problem; return whether there is none."""
        try:
            await self.refresh()
        except PilotfishError as error:
            if str(error) != self.problem:
                _LOG.error("%s", error)
            self.problem = str(error)
        except Exception:
            _LOG.exception("the certificates could not be renewed; this is repeated")
            self.problem = "the certificates could not be renewed because of an internal error; look at the log"
        else:
            if self.problem:
                _LOG.info("the certificates are current again, after: %s", self.problem)
            self.problem = ""
        return not self.problem

    async def _settle(self, now: float) -> tuple[SigningAuthority, ...]:
        """Return what the Secret contains after it was brought up to date."""
        namespace, name = self._place
        for _ in range(CONFLICTS):
            try:
                found = await get(self._kube, SECRETS, name, namespace)
            except NotFoundError as error:
                raise CertificateError(
                    f"the authority cannot be kept: there is no Secret {namespace}/{name}; `helm upgrade` or `kubectl "
                    f"create secret generic {name} -n {namespace}` creates it, empty; it is filled then"
                ) from error
            trust = decode(found.get("data"))
            planned = plan(trust.authorities, now, create_authority)
            wanted = encode(planned.authorities)
            data: dict[str, Any] = found.get("data") or {}
            if {key: data.get(key) for key in wanted} == wanted:
                return planned.authorities
            try:
                await replace(self._kube, SECRETS, {**found, "data": {**data, **wanted}})
            except ConflictError:
                continue
            self._announce(trust, planned)
            return planned.authorities
        raise CertificateError(
            f"Secret {namespace}/{name} was changed by others {CONFLICTS} times in a row; look for what writes it"
        )

    def _announce(self, trust: Trust, planned: Plan) -> None:
        where = "/".join(self._place)
        for damage in trust.damage:
            _LOG.error("the Secret %s of the authority was damaged, and is repaired: %s", where, damage)
        if planned.created is None:
            _LOG.info("the Secret %s was brought up to date: %d authorities", where, len(planned.authorities))
            return
        self.issued["authority"] += 1
        if planned.lost or (trust.damage and not trust.authorities):
            _LOG.error(
                "no authority in the Secret %s could sign, so the new one %s signs at once; clients refuse the servers "
                "of Pilotfish until they have the new bundle, usually within two minutes",
                where,
                planned.created.fingerprint[:16],
            )
        else:
            _LOG.info("the Secret %s has a new authority: %s", where, planned.created.fingerprint[:16])

    def _fits(self, now: float) -> bool:
        """Return whether the serving certificate may stay."""
        present = self._serving
        if present is None or present.issuer not in {one.fingerprint for one in self._authorities}:
            return False
        return present.issued - SKEW <= now < renewal(present)

    def sign(self, names: Sequence[str], now: float) -> ServingCertificate:
        """Return a certificate for a server that is reached by `names`; raise CertificateError if none can sign."""
        authority = signer(self._authorities, now)
        if authority is None:
            raise CertificateError(
                f"no authority in the Secret {'/'.join(self._place)} can sign now; compare the clocks of the nodes"
            )
        return sign_server(authority, names, now)

    def _sign(self, now: float) -> None:
        serving = self.sign(self._names, now)
        self._context = context_of(serving)
        self._serving = serving
        self.issued["serving"] += 1
        _LOG.info("a serving certificate was issued by authority %s", serving.issuer[:16])
