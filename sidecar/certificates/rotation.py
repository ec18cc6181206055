"""The law of rotation: which authorities belong into the Secret at a time, and which one signs. Pure.

Every decision follows from the certificates and the clock, so that processes need no leader and no stage to agree on:

    publish   an authority that has lived RENEWED_AFTER of its life gets a successor, which does not sign yet
    sign      the newest authority that has been published for PUBLISHED_FIRST; until one has, the oldest
    retire    an authority leaves when its successor has signed for so long that all that it signed has expired

So a client that received the bundle within the last PUBLISHED_FIRST - 2 * SKEW trusts every server, if the clocks
differ by less than SKEW and if some process was running when the successor was due.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .issuing import ServingCertificate, SigningAuthority
from .lifetimes import PUBLISHED_FIRST, RENEWED_AFTER, SERVING_LIFE, SKEW
from .secret import newest_first

Create = Callable[[float], SigningAuthority]


@dataclass(frozen=True, slots=True)
class Plan:
    """What belongs into the Secret now: `authorities`, newest first.

    `created` is the authority that is new in it. `lost` is true if it replaces authorities of which none can sign:
    clients trust it only after they have received the new bundle.
    """

    authorities: tuple[SigningAuthority, ...]
    created: SigningAuthority | None = None
    lost: bool = False


def plan(authorities: Iterable[SigningAuthority], now: float, create: Create) -> Plan:
    """Return what the Secret should contain at `now`, in epoch seconds; `create` makes an authority."""
    present = newest_first(authorities)
    kept = [one for one in present if now < one.expires + SKEW and not _retired(one, present, now)]
    able = _able(kept, now)
    if able and now < _due(able[0]):
        return Plan(tuple(kept))
    created = create(now)
    return Plan(newest_first([*kept, created]), created, lost=not able and bool(present))


def signer(authorities: Iterable[SigningAuthority], now: float) -> SigningAuthority | None:
    """Return the authority that signs at `now`, or None if none can."""
    able = _able(newest_first(authorities), now)
    known = [one for one in able if now >= one.published + PUBLISHED_FIRST]
    return known[0] if known else able[-1] if able else None


def renewal(certificate: ServingCertificate) -> float:
    """Return when a serving certificate is to be replaced, in epoch seconds."""
    return certificate.issued + RENEWED_AFTER * (certificate.expires - certificate.issued)


def _able(authorities: Iterable[SigningAuthority], now: float) -> list[SigningAuthority]:
    """Return those that can sign a certificate that is valid now and for a while, also where clocks differ."""
    return [one for one in authorities if one.key is not None and one.published - SKEW <= now < one.expires - SKEW]


def _due(authority: SigningAuthority) -> float:
    return authority.published + RENEWED_AFTER * (authority.expires - authority.published)


def _retired(authority: SigningAuthority, present: Iterable[SigningAuthority], now: float) -> bool:
    newer = [one.published for one in present if one.published > authority.published and one.key is not None]
    return bool(newer) and now > min(newer) + PUBLISHED_FIRST + SERVING_LIFE + SKEW
