"""Posts reviews of the API server: whether a token is valid, and whether a caller has a right."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ..kube.client import Kube
from ..kube.create import create
from ..kube.objects import SUBJECT_ACCESS_REVIEWS, TOKEN_REVIEWS

REVIEW_SECONDS = 5.0

Review = Callable[[dict[str, Any]], Awaitable[Mapping[str, Any]]]  # posts a review, and returns it with its status


def reviewer(kube: Kube) -> Review:
    """Return the function that posts a TokenReview or a SubjectAccessReview."""
    resources = {"SubjectAccessReview": SUBJECT_ACCESS_REVIEWS, "TokenReview": TOKEN_REVIEWS}

    async def review(body: dict[str, Any]) -> Mapping[str, Any]:
        return await create(kube, resources[body["kind"]], body, timeout=REVIEW_SECONDS)

    return review
