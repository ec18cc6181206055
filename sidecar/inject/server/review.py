"""AdmissionReview, version v1: the request of the API server, and the answer to it. Pure.

A body from which no UID can be read has no answer, since an AdmissionReview answers a UID. Everything else is answered.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ...errors import RefusedError, quote_value

VERSION, KIND = "admission.k8s.io/v1", "AdmissionReview"
MAX_UID = 256  # the API server sends a UUID
MAX_WARNING = 256  # bytes; the API server cuts longer ones
MAX_AUDIT = 1024
MAX_DEPTH = 64  # of the pod; the API server allows 10,000, and no field of a pod is deeper than 12


class InvalidReviewError(RefusedError):
    """A body that is not an AdmissionReview with a request."""


@dataclass(frozen=True, slots=True)
class ReviewRequest:
    """The request of an AdmissionReview. `pod` is None unless it is about the creation of a pod."""

    uid: str
    namespace: str = ""
    dry_run: bool = False
    pod: dict[str, Any] | None = None
    ignored: str = ""  # why `pod` is None


@dataclass(frozen=True, slots=True)
class ReviewAnswer:
    """The answer: `patch` is a JSON patch; `refusal` says why the pod is not admitted, and is empty if it is."""

    patch: Sequence[Mapping[str, Any]] = ()
    refusal: str = ""
    warnings: Sequence[str] = ()
    audit: Mapping[str, str] = field(default_factory=dict)


def parse_review(raw: bytes) -> ReviewRequest:
    """Return the request in a body; raise InvalidReviewError."""
    try:
        review = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidReviewError("the body is not JSON; send an AdmissionReview of admission.k8s.io/v1") from error
    if not isinstance(review, dict) or review.get("kind") != KIND:
        raise _invalid("kind", review.get("kind") if isinstance(review, dict) else None, KIND)
    if review.get("apiVersion") != VERSION:
        raise _invalid("apiVersion", review.get("apiVersion"), f"{VERSION}; set admissionReviewVersions: [v1]")
    request = review.get("request")
    if not isinstance(request, dict):
        raise _invalid("request", request, "an object")
    uid = request.get("uid")
    if not isinstance(uid, str) or not 0 < len(uid) <= MAX_UID:
        raise _invalid("request.uid", uid, "a text")
    dry_run = request.get("dryRun") is True
    namespace = request.get("namespace")
    ignored = _why_ignored(request)
    if ignored:
        return ReviewRequest(uid, dry_run=dry_run, ignored=ignored)
    return ReviewRequest(uid, str(namespace), dry_run, request["object"])


def encode_answer(uid: str, answer: ReviewAnswer) -> bytes:
    """Return the body of the response."""
    response: dict[str, Any] = {"uid": uid, "allowed": not answer.refusal}
    if answer.refusal:
        response["status"] = {"code": 500, "reason": "InternalError", "message": _cut(answer.refusal, MAX_AUDIT)}
    elif answer.patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(msgspec.json.encode(list(answer.patch))).decode()
    if answer.warnings:
        response["warnings"] = [_cut(text, MAX_WARNING) for text in answer.warnings]
    if answer.audit:
        response["auditAnnotations"] = {name: _cut(text, MAX_AUDIT) for name, text in answer.audit.items() if text}
    return msgspec.json.encode({"apiVersion": VERSION, "kind": KIND, "response": response})


def _why_ignored(request: Mapping[str, Any]) -> str:
    """Return why a request is not the creation of a pod in a namespace; empty if it is."""
    resource, pod = request.get("resource"), request.get("object")
    found = (resource.get("group"), resource.get("resource")) if isinstance(resource, dict) else None
    if found != ("", "pods") or request.get("subResource"):
        return "it is not about pods"
    if request.get("operation") != "CREATE":
        return "it is not a creation"
    if not isinstance(request.get("namespace"), str) or not request["namespace"]:
        return "it has no namespace"
    if not isinstance(pod, dict) or not isinstance(pod.get("metadata"), dict) or not isinstance(pod.get("spec"), dict):
        return "its object is not a pod"
    return "" if _depth_within(pod, MAX_DEPTH) else "its pod is nested too deeply"


def _depth_within(value: Any, most: int) -> bool:
    waiting = [(value, 0)]
    while waiting:
        item, depth = waiting.pop()
        if depth > most:
            return False
        inner = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        waiting += [(one, depth + 1) for one in inner]
    return True


def _invalid(name: str, value: object, wanted: str) -> InvalidReviewError:
    return InvalidReviewError(f"cannot read the AdmissionReview: {name} is {quote_value(value)}; it must be {wanted}")


def _cut(text: str, limit: int) -> str:
    raw = text.encode("utf-8", "replace")
    return raw.decode() if len(raw) <= limit else raw[: limit - 3].decode("utf-8", "ignore") + "…"
