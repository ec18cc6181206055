"""A token is reviewed once a minute; never used past its expiry; an API server that is down stops nobody it knows."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.callers import review_cache
from pilotfish.sidecar.callers.authentication import AUDIENCE, Authenticator, Caller, UnauthenticatedError, read_review
from pilotfish.sidecar.callers.errors import RefusedRequestError
from pilotfish.sidecar.control.manager.server.authorization import CREATE_ALERTS, CREATE_FEEDBACK, Authorizer
from tests.control.server.made import Reviews, pod, token
from tests.support.examples import examples

ADDRESS = "10.0.0.1"


class Time:
    """Monotonic and wall clock in one."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def made() -> tuple[Authenticator, Reviews, Time]:
    reviews, time = Reviews(), Time()
    return Authenticator(reviews, AUDIENCE, clock=time, now=time), reviews, time


def web_token(**claims: Any) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{payload}.c2ln"


async def caller(subject: Authenticator, value: str, address: str = ADDRESS) -> Caller:
    return await subject.caller(f"Bearer {value}", address)


@pytest.mark.asyncio
async def test_the_caller_is_the_pod_of_the_token_and_is_reviewed_once_a_minute() -> None:
    subject, reviews, time = made()
    for _ in range(3):
        found = await caller(subject, token())
        assert (found.namespace, found.pod_name, found.pod_uid) == (pod().namespace, pod().name, pod().uid)
    assert len(reviews.asked) == 1
    time.now += 61
    await caller(subject, token())
    assert len(reviews.asked) == 2


@pytest.mark.asyncio
async def test_callers_that_come_together_share_one_review() -> None:
    subject, reviews, _ = made()
    await asyncio.gather(*(caller(subject, token()) for _ in range(50)))
    assert len(reviews.asked) == 1


@pytest.mark.asyncio
async def test_a_caller_that_leaves_does_not_end_the_review_of_the_others() -> None:
    subject, reviews, _ = made()
    first, second = (asyncio.create_task(caller(subject, token())) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).pod_uid == pod().uid
    assert len(reviews.asked) == 1


@pytest.mark.asyncio
async def test_a_token_is_not_used_past_its_expiry_even_if_it_was_reviewed_before() -> None:
    subject, reviews, time = made()
    value = web_token(aud=["pilotfish"], exp=time.now + 30)
    reviews.add_pod(value, pod())
    await caller(subject, value)
    time.now += 31
    with pytest.raises(UnauthenticatedError, match="has expired"):
        await caller(subject, value)
    assert len(reviews.asked) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize(("claims", "why"), [({"aud": ["vault"]}, "audience"), ({"exp": 1}, "expired")])
async def test_a_foreign_or_expired_token_costs_no_review(claims: dict[str, Any], why: str) -> None:
    subject, reviews, _ = made()
    with pytest.raises(UnauthenticatedError, match=why):
        await caller(subject, web_token(**claims))
    assert reviews.asked == []


@pytest.mark.asyncio
async def test_known_callers_go_on_for_a_bounded_time_while_the_api_server_is_down() -> None:
    subject, reviews, time = made()
    value = web_token(aud=["pilotfish"], exp=time.now + 3600)
    reviews.add_pod(value, pod())
    await caller(subject, value)
    reviews.down = True
    time.now += review_cache.STALE_SECONDS - 1
    assert (await caller(subject, value)).pod_uid == pod().uid
    assert subject.cache.counts["stale"] == 1
    time.now += 2
    with pytest.raises(RefusedRequestError) as refused:
        await caller(subject, value)
    assert (refused.value.status, refused.value.retry_after) == (503, 5.0)


@pytest.mark.asyncio
async def test_unknown_callers_get_503_while_the_api_server_is_down() -> None:
    subject, reviews, _ = made()
    reviews.down = True
    with pytest.raises(RefusedRequestError) as refused:
        await caller(subject, token())
    assert refused.value.status == 503


@pytest.mark.asyncio
async def test_a_refusal_is_kept_for_seconds_only() -> None:
    subject, reviews, time = made()
    for _ in range(3):
        with pytest.raises(UnauthenticatedError):
            await caller(subject, "new")
    assert len(reviews.asked) == 1
    reviews.add_pod("new", pod())
    time.now += review_cache.DENIED_SECONDS + 1
    assert (await caller(subject, "new")).pod_uid == pod().uid


@pytest.mark.asyncio
async def test_an_address_that_guesses_tokens_is_slowed_down_and_others_are_not() -> None:
    subject, reviews, _ = made()
    statuses = []
    for number in range(40):
        with pytest.raises(RefusedRequestError) as refused:
            await caller(subject, f"guess-{number}")
        statuses.append(refused.value.status)
    assert (statuses.count(401), statuses.count(429), len(reviews.asked)) == (20, 20, 20)
    assert (await caller(subject, token(), "10.0.0.2")).pod_uid == pod().uid


@pytest.mark.asyncio
async def test_the_memory_of_reviews_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review_cache, "MAX_ENTRIES", 3)
    subject, _, _ = made()
    for number in range(1, 8):
        await caller(subject, token(number))
    assert len(subject.cache) == 3


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic dTpw", "Bearer a b", "Bearer é", "Bearer " + "x" * 9000]
)
async def test_a_header_without_a_bearer_token_is_refused_without_a_review(header: str | None) -> None:
    subject, reviews, _ = made()
    with pytest.raises(UnauthenticatedError):
        await subject.caller(header, ADDRESS)
    assert reviews.asked == []


@pytest.mark.asyncio
async def test_rights_are_asked_for_the_subresource_of_one_monitor_and_remembered() -> None:
    _, reviews, time = made()
    reviews.rights.add(("someone", "create feedback", "shop", "prices"))
    subject, someone = Authorizer(reviews, time), Caller(username="someone")
    for _ in range(2):
        assert await subject.may(someone, CREATE_FEEDBACK, "shop", "prices")
    assert not await subject.may(someone, CREATE_ALERTS, "shop", "prices")
    assert not await subject.may(someone, CREATE_FEEDBACK, "shop", "other")
    assert len(reviews.asked) == 3


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["authenticated", "audiences", "user", "username", "uid", "groups", "extra", "error"])


@settings(max_examples=examples(100))
@given(st.dictionaries(KEYS, values), st.dictionaries(KEYS, values))
def test_no_review_of_any_form_raises_or_gives_a_caller_without_audience(
    status: dict[str, Any], user: dict[str, Any]
) -> None:
    for user_or_other in (user, status.get("user")):
        found = read_review({"status": {**status, "user": user_or_other}}, AUDIENCE)
        if isinstance(found, Caller):
            assert status["authenticated"] is True
            assert "pilotfish" in status["audiences"]


@settings(max_examples=examples(300), deadline=None)
@given(
    st.text(max_size=80)
    | st.binary(max_size=60).map(lambda raw: f"Bearer a.{base64.urlsafe_b64encode(raw).decode()}.b")
)
def test_no_header_of_any_form_does_more_than_be_refused(header: str) -> None:
    subject, _, _ = made()
    with pytest.raises(RefusedRequestError):
        asyncio.run(subject.caller(header, ADDRESS))
