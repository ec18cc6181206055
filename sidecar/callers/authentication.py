"""Who calls: the bearer token of a request becomes a Caller, by a TokenReview of the API server.

A token must have the audience of the server, so a token for another service is refused here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ..errors import PilotfishError
from ..kube.errors import KubeError
from .errors import RefusedRequestError
from .rates import RateLimiter
from .review_cache import ReviewCache, Reviewed, ReviewError
from .reviews import Review

AUDIENCE = "pilotfish"  # of the controller
MAX_TOKEN_LENGTH = 8192
POD_NAME, POD_UID = "authentication.kubernetes.io/pod-name", "authentication.kubernetes.io/pod-uid"
RETRY_SECONDS = 5.0
FAILURES_PER_SECOND, FAILURES_AT_ONCE = 0.5, 20.0  # refused tokens of one client address

_BEARER = re.compile(r"(?i)bearer +([\x21-\x7e]+) *\Z")
_ACCOUNT = re.compile(r"system:serviceaccount:([a-z0-9.-]{1,253}):([a-z0-9.-]{1,253})\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An authenticated caller.

    Attributes:
        username, uid, groups, extra: as the API server knows the caller.
        namespace, account: of the ServiceAccount; empty for other callers.
        pod_name, pod_uid: of the pod to which the token is bound; empty without one.
    """

    username: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    namespace: str = ""
    account: str = ""
    pod_name: str = ""
    pod_uid: str = ""

    @property
    def key(self) -> str:
        """What limits count by: the pod, or else the user."""
        return self.pod_uid or self.username


class UnauthenticatedError(RefusedRequestError):
    """The request has no token, or none that is valid here."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(text, status=401, reason=reason)


class Authenticator:
    """Turns bearer tokens into callers.

    `review` posts a TokenReview. A token must have `audience`. `clock` returns monotonic seconds, `now` epoch seconds.

    Attributes:
        cache: the callers by the SHA-256 of their token; a refused token has None.
    """

    def __init__(self, review: Review, audience: str, *, clock: Callable[[], float], now: Callable[[], float]) -> None:
        self.cache: ReviewCache[Caller | str] = ReviewCache("tokens of callers", clock)
        self._review = review
        self._audience = audience
        self._now = now
        self._failures = RateLimiter(FAILURES_PER_SECOND, FAILURES_AT_ONCE, clock)

    async def caller(self, authorization: str | None, address: str) -> Caller:
        """Return the caller of a request with this Authorization from the client address `address`.

        Raises UnauthenticatedError, and RefusedRequestError with 429 or 503.
        """
        token = _token(authorization, self._audience)
        key = hashlib.sha256(token.encode()).digest()
        found = self.cache.fresh(key)
        if found is None:
            self._require_patience(address)
            found = await self._ask(key, token)
            if isinstance(found, str):
                self._failures.take(address)
        if isinstance(found, str):
            raise UnauthenticatedError(f"the token was refused: {found}; send the pod's present token", "token")
        return found

    async def _ask(self, key: bytes, token: str) -> Caller | str:
        claims = _claims(token)
        if claims is not None and (problem := _foreign(claims, self._audience, self._now())):
            return problem
        try:
            return await self.cache.get(key, lambda: self._reviewed(token, claims))
        except (KubeError, ReviewError) as error:
            raise unavailable("the token cannot be reviewed", error) from error

    async def _reviewed(self, token: str, claims: Mapping[str, Any] | None) -> Reviewed[Caller | str]:
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [self._audience]},
        }
        found = read_review(await self._review(body), self._audience)
        if isinstance(found, str):
            return Reviewed(found, allowed=False)
        expiry = claims.get("exp") if claims is not None else None
        left = float(expiry) - self._now() if isinstance(expiry, (int, float)) else None
        return Reviewed(found, allowed=True, expires_in=left)

    def _require_patience(self, address: str) -> None:
        """Refuse an address that sent many refused tokens, because each costs the API server a review."""
        wait = self._failures.wait(address)
        if wait > 0:
            raise RefusedRequestError(
                "too many refused tokens from this address; correct the token, then try again",
                status=429,
                reason="refused_tokens",
                retry_after=wait,
            )


def unavailable(what: str, error: PilotfishError) -> RefusedRequestError:
    """Return the refusal of a request for which the API server was needed and failed."""
    wait = getattr(error, "retry_after", None) or RETRY_SECONDS
    return RefusedRequestError(
        f"{what}: the Kubernetes API server did not answer; send the request again later",
        status=503,
        reason="api_server",
        retry_after=wait,
    )


def read_review(review: Mapping[str, Any], audience: str) -> Caller | str:
    """Return the caller in a TokenReview with its status, or why there is none."""
    status = review.get("status")
    if not isinstance(status, dict) or status.get("authenticated") is not True:
        return "the API server does not accept it"
    audiences = status.get("audiences")
    if not isinstance(audiences, list) or audience not in audiences:
        return f"its audience is not {audience!r}"
    user = status.get("user")
    username = user.get("username") if isinstance(user, dict) else None
    if not isinstance(user, dict) or not isinstance(username, str) or not username:
        return "it has no user"
    extra = {name: _texts(values) for name, values in _mapping(user.get("extra")).items()}
    account = _ACCOUNT.match(username)
    names, uids = extra.get(POD_NAME, ()), extra.get(POD_UID, ())
    bound = account is not None and len(names) == len(uids) == 1
    uid = user.get("uid")
    return Caller(
        username=username,
        uid=uid if isinstance(uid, str) else "",
        groups=_texts(user.get("groups")),
        extra=extra,
        namespace=account[1] if account else "",
        account=account[2] if account else "",
        pod_name=names[0] if bound else "",
        pod_uid=uids[0] if bound else "",
    )


def _token(authorization: str | None, audience: str) -> str:
    if authorization is None:
        raise UnauthenticatedError("the request has no bearer token; send `Authorization: Bearer TOKEN`", "no_token")
    match = _BEARER.match(authorization)
    if match is None or len(match[1]) > MAX_TOKEN_LENGTH:
        raise UnauthenticatedError(
            f"Authorization is not a bearer token of at most {MAX_TOKEN_LENGTH} characters; "
            f"send a projected token with the audience {audience!r}",
            "token",
        )
    return match[1]


def _claims(token: str) -> Mapping[str, Any] | None:
    """Return the unverified claims of a JSON Web Token; None for any other token."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        raw = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        claims = msgspec.json.decode(raw)
    except (binascii.Error, msgspec.DecodeError, ValueError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None


def _foreign(claims: Mapping[str, Any], audience: str, now: float) -> str:
    """Return why a token with these claims cannot be accepted; empty if it may be."""
    found = claims.get("aud")
    if isinstance(found, str):
        found = [found]
    if isinstance(found, list) and audience not in found:
        return f"its audience is not {audience!r}"
    expiry = claims.get("exp")
    if isinstance(expiry, (int, float)) and expiry <= now:
        return "it has expired"
    return ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _texts(values: object) -> tuple[str, ...]:
    return tuple(item for item in values if isinstance(item, str)) if isinstance(values, list) else ()
