"""The law of rotation: a client with any bundle of the last days trusts every server, through every rotation."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.certificates.issuing import (
    ServingCertificate,
    SigningAuthority,
    create_authority,
    sign_server,
)
from pilotfish.sidecar.certificates.lifetimes import (
    AUTHORITY_LIFE,
    DAY,
    PUBLISHED_FIRST,
    RENEWED_AFTER,
    SERVING_LIFE,
    SKEW,
)
from pilotfish.sidecar.certificates.rotation import plan, renewal, signer
from pilotfish.sidecar.certificates.secret import bundle
from tests.certificates.clients import NAMES, trusts
from tests.support.examples import examples

START = 1_800_000_000.0
OLDEST_BUNDLE = PUBLISHED_FIRST - 2 * SKEW


@dataclass
class SharedSecret:
    """What all processes read and write."""

    authorities: tuple[SigningAuthority, ...] = ()


@dataclass
class ServingProcess:
    """A process that looks at the Secret now and then; its clock differs by `skew`."""

    secret: SharedSecret
    skew: float
    serving: ServingCertificate | None = None

    def look(self, now: float) -> None:
        at = now + self.skew
        self.secret.authorities = plan(self.secret.authorities, at, create_authority).authorities
        known = {one.fingerprint for one in self.secret.authorities}
        if self.serving is None or self.serving.issuer not in known or at >= renewal(self.serving):
            authority = signer(self.secret.authorities, at)
            assert authority is not None
            self.serving = sign_server(authority, NAMES, at)


@dataclass
class Clients:
    """The bundles that clients hold, with the time at which they were distributed."""

    bundles: list[tuple[float, bytes]] = field(default_factory=list)

    def receive(self, now: float, found: bytes) -> None:
        self.bundles = [(at, held) for at, held in self.bundles if now - at <= OLDEST_BUNDLE]
        self.bundles.append((now, found))

    def of_the_last_days(self, now: float) -> Iterator[bytes]:
        yield from {held for at, held in self.bundles if now - at <= OLDEST_BUNDLE}


@pytest.mark.long
@settings(max_examples=examples(30), deadline=None)
@given(
    skews=st.lists(st.floats(-SKEW / 2, SKEW / 2), min_size=2, max_size=3),
    steps=st.lists(st.floats(0.1 * DAY, 4 * DAY), min_size=5, max_size=40),
)
def test_a_client_with_a_recent_bundle_trusts_every_server_through_every_rotation(
    skews: list[float], steps: list[float]
) -> None:
    secret, clients, seen = SharedSecret(), Clients(), set()
    processes = [ServingProcess(secret, skew) for skew in skews]
    now, following = START, itertools.cycle(steps)
    while now < START + 2.2 * RENEWED_AFTER * AUTHORITY_LIFE:
        for process in processes:
            process.look(now)
        clients.receive(now, bundle(secret.authorities))
        seen |= {one.fingerprint for one in secret.authorities}
        for process in processes:
            assert process.serving is not None
            for held in clients.of_the_last_days(now):
                assert trusts(held, process.serving, now + process.skew)
        now += next(following)
    assert len(seen) == 3


def chain(*ages: float) -> tuple[SigningAuthority, ...]:
    """Return authorities that were created so many days ago."""
    return tuple(create_authority(START - age * DAY) for age in ages)


RENEWAL = AUTHORITY_LIFE * RENEWED_AFTER / DAY
RETIREMENT = (PUBLISHED_FIRST + SERVING_LIFE + SKEW) / DAY


@pytest.mark.parametrize(
    ("ages", "kept", "creates", "signs"),
    [
        ((), (), True, "new"),
        ((0,), (0,), False, 0),
        ((RENEWAL - 0.1,), (0,), False, 0),
        ((RENEWAL + 0.1,), (0,), True, 0),
        ((RENEWAL + 6.9, 6.9), (0, 1), False, 0),
        ((RENEWAL + 7.1, 7.1), (0, 1), False, 1),
        ((RENEWAL + RETIREMENT, RETIREMENT - 0.1), (0, 1), False, 1),
        ((RENEWAL + RETIREMENT, RETIREMENT + 0.1), (1,), False, 1),
        ((364.99,), (0,), True, "new"),  # too near to its end to sign
        ((366,), (), True, "new"),
        ((-2,), (0,), True, "new"),  # made by a clock that is two days ahead
    ],
)
def test_each_stage_of_a_rotation(
    ages: tuple[float, ...], kept: tuple[int, ...], creates: bool, signs: int | str
) -> None:
    present = chain(*ages)
    planned = plan(present, START, create_authority)
    assert {present[index] for index in kept} == set(planned.authorities) - {planned.created}
    assert (planned.created is not None) == creates
    expected = planned.created if signs == "new" else present[int(signs)]
    assert signer(planned.authorities, START) is expected


def test_a_plan_is_final_until_time_passes() -> None:
    planned = plan(chain(RENEWAL + 1), START, create_authority)
    again = plan(planned.authorities, START, create_authority)
    assert again.authorities == planned.authorities
    assert again.created is None


def test_an_authority_without_its_key_is_still_trusted_and_never_signs() -> None:
    (authority,) = chain(10)
    planned = plan([SigningAuthority(authority.certificate, None)], START, create_authority)
    assert planned.lost
    assert len(planned.authorities) == 2
    assert signer(planned.authorities, START) is planned.created


def test_a_serving_certificate_never_outlives_its_authority() -> None:
    (authority,) = chain(363)
    serving = sign_server(authority, NAMES, START)
    assert serving.expires == authority.expires
    assert trusts(bundle([authority]), serving, START)
    assert not trusts(bundle([authority]), serving, authority.expires + 1)


def test_a_certificate_is_valid_for_its_names_only_and_by_its_authority_only() -> None:
    first, second = chain(1, 2)
    serving = sign_server(first, NAMES, START)
    assert trusts(bundle([first, second]), serving, START, NAMES[:2])
    assert not trusts(bundle([second]), serving, START)
    assert not trusts(bundle([first]), serving, START, ["pilotfish-control.other.svc"])
