"""Asks the kubelet which devices its pods have, by gRPC over a unix socket.

Each question has a deadline and a connection of its own, so that a kubelet that hangs or is restarted costs one
question only. While it fails, the last answer is used for `KEPT_SECONDS`: pods keep their devices during a restart of
the kubelet.
"""

from __future__ import annotations

import asyncio
import logging
import os
import stat
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .allocations import Allocations, read_allocations
from .messages import ALLOCATABLE, LIST, MESSAGES
from .problems import NodeProblem, NodeReason

_LOG = logging.getLogger("pilotfish.node")

SOCKET = Path("/var/lib/kubelet/pod-resources/kubelet.sock")
DEADLINE_SECONDS = 5.0
KEPT_SECONDS = 120.0
MOST_BYTES = 16 * 1024 * 1024  # of a response, as the kubelet's own clients allow


class KubeletFailureError(Exception):
    """The kubelet did not answer."""

    def __init__(self, problem: NodeProblem) -> None:
        super().__init__(problem.text)
        self.problem = problem


class KubeletSource:
    """The allocations of the node. Call `refresh` now and then; it raises nothing.

    Attributes:
        allocations: the last answer; empty if there is none that is current.
        problem: why the last question failed; None after an answer.
        counts: questions by method and outcome.
    """

    def __init__(
        self,
        path: Path = SOCKET,
        deadline: float = DEADLINE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.allocations = Allocations()
        self.problem: NodeProblem | None = None
        self.counts: Counter[tuple[str, str]] = Counter()
        self._path = path
        self._deadline = deadline
        self._clock = clock
        self._answered_at: float | None = None

    async def refresh(self) -> None:
        """Ask the kubelet, and keep its answer or the problem."""
        try:
            found = await asyncio.to_thread(self._ask)
        except KubeletFailureError as error:
            if self.problem is None or self.problem.reason is not error.problem.reason:
                _LOG.warning("%s", error.problem.text)
            self.problem = error.problem
            if self._answered_at is None or self._clock() - self._answered_at > KEPT_SECONDS:
                self.allocations = Allocations()
            return
        if self.problem is not None:
            _LOG.info("the kubelet answers again, after: %s", self.problem.reason.meaning)
        self.problem, self.allocations, self._answered_at = None, found, self._clock()

    def _ask(self) -> Allocations:
        """Return the allocations; raise KubeletFailureError."""
        self._require_socket()
        import grpc

        options = [("grpc.max_receive_message_length", MOST_BYTES), ("grpc.enable_http_proxy", 0)]
        with grpc.insecure_channel(f"unix:{self._path}", options=options) as channel:
            try:
                listed = self._call(channel, LIST, "ListPodResourcesRequest", "ListPodResourcesResponse")
            except grpc.RpcError as error:
                raise KubeletFailureError(_problem(error, self._deadline)) from error
            try:
                names = ("AllocatableResourcesRequest", "AllocatableResourcesResponse")
                allocatable = self._call(channel, ALLOCATABLE, *names)
            except grpc.RpcError:  # it only counts free devices
                allocatable = None
        return read_allocations(listed, allocatable)

    def _call(self, channel: Any, method: str, request: str, response: str) -> Any:
        call = channel.unary_unary(
            method,
            request_serializer=MESSAGES[request].SerializeToString,
            response_deserializer=MESSAGES[response].FromString,
        )
        name, outcome = method.rpartition("/")[2], "failed"
        try:
            found = call(MESSAGES[request](), timeout=self._deadline)
            outcome = "answered"
        finally:
            self.counts[name, outcome] += 1
        return found

    def _require_socket(self) -> None:
        """Raise KubeletFailureError if there is no socket to open: gRPC would wait for it until the deadline."""
        try:
            found = os.stat(self._path)
        except PermissionError as error:
            raise KubeletFailureError(NodeProblem(NodeReason.KUBELET_DENIED, str(self._path))) from error
        except OSError as error:
            raise KubeletFailureError(NodeProblem(NodeReason.KUBELET_ABSENT, str(self._path))) from error
        if not stat.S_ISSOCK(found.st_mode):
            raise KubeletFailureError(NodeProblem(NodeReason.KUBELET_ABSENT, f"{self._path} is not a socket"))
        if not os.access(self._path, os.W_OK):
            raise KubeletFailureError(NodeProblem(NodeReason.KUBELET_DENIED, str(self._path)))


def _problem(error: Any, deadline: float) -> NodeProblem:
    code = error.code().name if callable(getattr(error, "code", None)) else type(error).__name__
    if code == "DEADLINE_EXCEEDED":
        return NodeProblem(NodeReason.KUBELET_HUNG, f"{deadline:g} s")
    if code == "UNAVAILABLE":
        return NodeProblem(NodeReason.KUBELET_ABSENT, "nobody accepts connections at the socket")
    hint = "; does the kubelet have podresources.v1?" if code == "UNIMPLEMENTED" else ""
    return NodeProblem(NodeReason.KUBELET_FAILED, f"{code}{hint}")
