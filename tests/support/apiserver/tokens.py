"""Users by token, TokenReview and TokenRequest."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from tests.support.apiserver.problems import Problem

API_AUDIENCE = "https://kubernetes.default.svc"
ADMIN = "admin-token"


@dataclass(frozen=True)
class User:
    """Who a token stands for; `audiences` says where it is valid."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ("system:authenticated",)
    audiences: tuple[str, ...] = (API_AUDIENCE,)
    extra: dict[str, list[str]] = field(default_factory=dict)


def pod_user(namespace: str, account: str, pod: str, uid: str, audiences: tuple[str, ...] = (API_AUDIENCE,)) -> User:
    """Return the user of a service account's token that is bound to a pod."""
    return User(
        f"system:serviceaccount:{namespace}:{account}",
        groups=("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"),
        audiences=audiences,
        extra={"authentication.kubernetes.io/pod-name": [pod], "authentication.kubernetes.io/pod-uid": [uid]},
    )


class Tokens(dict[str, User]):
    """The valid tokens."""

    def __init__(self) -> None:
        super().__init__({ADMIN: User("admin", groups=("system:masters", "system:authenticated"))})

    def user(self, authorization: str) -> User:
        """Return the user of a request; raise Problem 401."""
        found = self.get(authorization[7:]) if authorization[:7].lower() == "bearer " else None
        if found is None or API_AUDIENCE not in found.audiences:
            raise Problem(401, "Unauthorized", "Unauthorized")
        return found

    def review(self, body: dict[str, Any]) -> dict[str, Any]:
        """Answer a TokenReview."""
        spec = body.get("spec") or {}
        found = self.get(spec.get("token", ""))
        asked = spec.get("audiences") or [API_AUDIENCE]
        both = [audience for audience in asked if found and audience in found.audiences]
        if found is None or not both:
            return {**body, "status": {"user": {}, "error": "invalid bearer token"}}
        user = {"username": found.name, "uid": found.uid, "groups": list(found.groups), "extra": found.extra}
        return {**body, "status": {"authenticated": True, "audiences": both, "user": user}}

    def issue(self, namespace: str, account: str, body: dict[str, Any]) -> dict[str, Any]:
        """Answer a TokenRequest."""
        spec = body.get("spec") or {}
        bound = spec.get("boundObjectRef") or {}
        audiences = tuple(spec.get("audiences") or (API_AUDIENCE,))
        user = pod_user(namespace, account, bound.get("name", ""), bound.get("uid", ""), audiences)
        if not bound:
            user = User(user.name, groups=user.groups, audiences=audiences)
        token = secrets.token_urlsafe(24)
        self[token] = user
        return {**body, "status": {"token": token, "expirationTimestamp": "2099-01-01T00:00:00Z"}}
