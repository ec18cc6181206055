"""What a caller may do: a pod acts for itself only; others need a right on a subresource of the monitor.

    POST /v1/sync, /v1/signals, /v1/labels, GET and PUT /v1/profiles/HASH    the pod of the token
    POST /v1/feedback                                                        create modelmonitors/feedback
    POST /v1/alerts                                                          create modelmonitors/alerts
    GET /v1/scale/NAMESPACE/MONITOR                                          get modelmonitors/scale

The subresources exist only in RBAC rules, like those of kubelet. A role therefore grants labels without any right on
the monitors themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import Any, NamedTuple

from ....callers.authentication import Caller, unavailable
from ....callers.errors import RefusedRequestError
from ....callers.review_cache import ReviewCache, Reviewed, ReviewError
from ....callers.reviews import Review
from ....kube.errors import KubeError
from ....sync.messages import Pod

GROUP, RESOURCE = "pilotfish.dev", "modelmonitors"


class CallerRight(NamedTuple):
    """A verb on a subresource of a monitor."""

    verb: str
    subresource: str


CREATE_ALERTS, CREATE_FEEDBACK = CallerRight("create", "alerts"), CallerRight("create", "feedback")
GET_SCALE = CallerRight("get", "scale")


class ForbiddenCallerError(RefusedRequestError):
    """The caller is known and may not do this."""

    def __init__(self, text: str, reason: str = "forbidden") -> None:
        super().__init__(text, status=403, reason=reason)


def require_bound(caller: Caller) -> Pod:
    """Return the pod to which the caller's token is bound; raise ForbiddenCallerError without one."""
    if not caller.pod_uid:
        raise ForbiddenCallerError(
            "the token is not bound to a pod; mount a projected serviceAccountToken volume into the pod, and send that",
            "not_bound",
        )
    return Pod(namespace=caller.namespace, name=caller.pod_name, uid=caller.pod_uid)


def require_same_pod(bound: Pod, sent: Pod) -> None:
    """Raise ForbiddenCallerError if the body names another pod than the token; the text names the field."""
    for name in ("namespace", "name", "uid"):
        if getattr(bound, name) != getattr(sent, name):
            raise ForbiddenCallerError(
                f"pod.{name} in the body differs from the pod to which the token is bound; "
                "set the pod's name, namespace and UID by the downward API",
                f"other_pod_{name}",
            )


class Authorizer:
    """Asks the API server by SubjectAccessReview whether a caller has a right on a subresource.

    `review` posts the review; `clock` returns monotonic seconds.
    """

    def __init__(self, review: Review, clock: Callable[[], float]) -> None:
        self.cache: ReviewCache[bool] = ReviewCache("rights of callers", clock)
        self._review = review

    async def may(self, caller: Caller, right: CallerRight, namespace: str, monitor: str) -> bool:
        """Return whether the caller may; raise RefusedRequestError with 503 if that cannot be found out."""
        key = (caller.username, caller.uid, caller.groups, _plain(caller.extra), right, namespace, monitor)
        try:
            return await self.cache.get(key, lambda: self._reviewed(caller, right, namespace, monitor))
        except (KubeError, ReviewError) as error:
            raise unavailable("the caller's rights cannot be reviewed", error) from error

    async def require(self, caller: Caller, right: CallerRight, namespace: str, monitor: str) -> None:
        """Raise ForbiddenCallerError unless the caller may."""
        if not await self.may(caller, right, namespace, monitor):
            raise ForbiddenCallerError(
                f"the caller has no right to {right.verb} {RESOURCE}/{right.subresource} of this monitor; "
                f"grant it by a Role in the namespace of the monitor: apiGroups [{GROUP}], "
                f"resources [{RESOURCE}/{right.subresource}], verbs [{right.verb}]"
            )

    async def _reviewed(self, caller: Caller, right: CallerRight, namespace: str, monitor: str) -> Reviewed[bool]:
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": caller.username,
                "uid": caller.uid,
                "groups": list(caller.groups),
                "extra": {name: list(values) for name, values in caller.extra.items()},
                "resourceAttributes": {
                    "group": GROUP,
                    "resource": RESOURCE,
                    "subresource": right.subresource,
                    "verb": right.verb,
                    "namespace": namespace,
                    "name": monitor,
                },
            },
        }
        status = (await self._review(body)).get("status")
        allowed = isinstance(status, dict) and status.get("allowed") is True and status.get("denied") is not True
        return Reviewed(allowed, allowed=allowed, expires_in=inf)


def _plain(extra: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(extra.items()))
