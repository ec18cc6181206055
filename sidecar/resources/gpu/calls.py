"""Calls NVML, and turns each failure into a `GpuProblem`. Runs in the child.

During a call, memory that the parent shares has its name, so that the parent can name a call that hangs or crashes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .problems import ENDS_SESSION, INSUFFICIENT_SIZE, GpuReason, reason_of
from .sample import GpuProblem

NO_CALL = b"\0"  # the first byte of the memory between two calls
MARK_BYTES = 96  # of the shared memory; a name of NVML has at most about 50 characters
ATTEMPTS = 3  # for a list that grows between the call for its size and the call for its content
# Values with which NVML says that a number is not available (NVML_VALUE_NOT_AVAILABLE, of each size and sign).
NOT_AVAILABLE = frozenset((2**32 - 1, 2**64 - 1, -1))
NOT_PROVIDED = frozenset((GpuReason.FUNCTION_MISSING, GpuReason.UNSUPPORTED))  # by this driver or GPU
SUCCESS = 0  # nvidia-ml-py raises an error with this code where a list is empty


@dataclass(frozen=True, slots=True)
class CallPlace:
    """What a call is about: the handle, a label for people (a UUID, or "#3"), and the index of the GPU."""

    handle: Any
    label: str
    index: int


MACHINE = CallPlace(None, "", -1)


class SessionEndedError(Exception):
    """The library answers no call about any GPU in this process: the driver is gone."""

    def __init__(self, problem: GpuProblem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


class Mark(Protocol):
    """Memory that the parent reads; an mmap."""

    def __setitem__(self, place: slice, value: bytes, /) -> None:
        """Write bytes."""


class GuardedCalls:
    """The functions of NVML. A call returns None after a failure, and `problems` has the reason.

    `nvml` is the module pynvml; `avoided` are the calls that hung, as `call_key` writes them. A call that the GPU does
    not support is made again only after `forget`, since it costs as much as one that works.

    A driver that is gone fails every call. One call that claims so while others work costs its own value only.
    """

    def __init__(self, nvml: Any, mark: Mark, avoided: frozenset[str]) -> None:
        self.nvml = nvml
        self._mark = mark
        self._avoided = avoided
        self._keys: dict[tuple[str, int], tuple[bytes, bool]] = {}
        self._unsupported: dict[tuple[str, str, str, int], GpuProblem] = {}
        self._problems: dict[tuple[str, str, GpuReason], GpuProblem] = {}
        self._gone: GpuProblem | None = None  # a call claims that the driver is gone
        self._answered = False  # a call about a GPU worked

    def forget(self) -> None:
        """Call everything again: also what was not supported."""
        self._unsupported.clear()

    def take_problems(self) -> tuple[GpuProblem, ...]:
        """Return the problems since the last call, one for each reading, device and reason."""
        found = tuple(self._problems.values())
        self._problems = {}
        return found

    def check_session(self) -> None:
        """Raise SessionEndedError if the driver is gone by the calls since the last check."""
        gone, answered, self._gone, self._answered = self._gone, self._answered, None, False
        if gone is not None and not answered:
            raise SessionEndedError(gone)

    def report(self, reading: str, place: CallPlace, reason: GpuReason, detail: str = "") -> None:
        """Add a problem that a caller found in what a call returned."""
        problem = GpuProblem(reason=reason, reading=reading, device=place.label, detail=detail)
        self._problems.setdefault((reading, place.label, reason), problem)

    def read(self, reading: str, place: CallPlace, name: str, *arguments: Any) -> Any:
        """Return the result of the function `name` of nvidia-ml-py for `place`, () if it has none.

        Returns None and adds a problem if it fails.
        """
        result, problem = self._call(reading, place, name, arguments)
        if problem is not None:
            self._add(problem)
        return result

    def first(
        self,
        reading: str,
        place: CallPlace,
        choices: Sequence[tuple[Any, ...]],
        quiet: frozenset[GpuReason] = frozenset(),
    ) -> Any:
        """Return the result of the first of the `choices`, (name, argument, ...), that this driver supports.

        Returns () without a problem if it fails for a reason in `quiet`, and None if it fails for another one.
        """
        problem: GpuProblem | None = None
        for name, *arguments in choices:
            result, problem = self._call(reading, place, name, arguments)
            if problem is None or problem.reason not in NOT_PROVIDED:
                break
        if problem is None:
            return result
        if problem.reason in quiet:
            return ()
        self._add(problem)
        return None

    def optional(
        self,
        reading: str,
        place: CallPlace,
        name: str,
        *arguments: Any,
        default: Any = None,
        quiet: frozenset[GpuReason] = NOT_PROVIDED,
    ) -> Any:
        """Return the result; `default` and no problem if the call fails for a reason in `quiet`; None if it fails."""
        result, problem = self._call(reading, place, name, arguments)
        if problem is None:
            return result
        if problem.reason in quiet:
            return default
        self._add(problem)
        return None

    def number(self, reading: str, place: CallPlace, value: Any, most: float, *, scale: float = 1) -> float | None:
        """Return `value` times `scale`; None and a problem if it is no number from 0 to `most` (before scaling)."""
        if value is None:
            return None
        if 0 <= value <= most:  # False for a NaN
            return float(value * scale)
        if value in NOT_AVAILABLE:
            self.report(reading, place, GpuReason.UNSUPPORTED, "the driver returned NVML_VALUE_NOT_AVAILABLE")
        else:
            self.report(reading, place, GpuReason.INVALID_VALUE, f"{value!r} is not between 0 and {most:g}")
        return None

    def count(self, reading: str, place: CallPlace, value: Any, most: int = 2**62) -> int | None:
        """Return the whole number `value`; None and a problem if it is not between 0 and `most`."""
        return None if self.number(reading, place, value, most) is None else int(value)

    def _add(self, problem: GpuProblem) -> None:
        self._problems.setdefault((problem.reading, problem.device, problem.reason), problem)

    def _call(
        self, reading: str, place: CallPlace, name: str, arguments: Sequence[Any]
    ) -> tuple[Any, GpuProblem | None]:
        key = (reading, name, place.label, len(arguments))  # the number of arguments tells versions apart
        if (known := self._unsupported.get(key)) is not None:
            return None, known
        mark, avoided = self._keyed(name, place.index)
        if avoided:
            return None, GpuProblem(reason=GpuReason.AVOIDED, reading=reading, device=place.label, detail=name)
        self._mark[:] = mark
        try:
            result = self._attempt(name, place.handle, arguments)
            self._answered = self._answered or place.handle is not None
            return () if result is None else result, None
        except self.nvml.NVMLError as error:
            code = int(error.value)
            if code == SUCCESS:
                return (), None
            reason, detail = reason_of(code), f"{name} returned {code}"
        except MemoryError:
            reason, detail = GpuReason.TOO_MANY, f"{name} needs more memory than this process may use"
        except Exception as error:  # a list that contradicts its length, text that is not UTF-8
            reason, detail = GpuReason.INCONSISTENT, f"{name} failed with {type(error).__name__}"
        finally:
            self._mark[:1] = NO_CALL
        problem = GpuProblem(reason=reason, reading=reading, device=place.label, detail=detail)
        if reason in ENDS_SESSION:
            self._gone = self._gone or problem
        if reason in NOT_PROVIDED:
            self._unsupported[key] = problem
        return None, problem

    def _attempt(self, name: str, handle: Any, arguments: Sequence[Any]) -> Any:
        function = getattr(self.nvml, name)
        given = arguments if handle is None else (handle, *arguments)
        for _ in range(ATTEMPTS - 1):
            try:
                return function(*given)
            except self.nvml.NVMLError as error:
                if error.value != INSUFFICIENT_SIZE:
                    raise
        return function(*given)

    def _keyed(self, name: str, index: int) -> tuple[bytes, bool]:
        found = self._keys.get((name, index))
        if found is None:
            key = call_key(name, index)
            mark = key.encode()[:MARK_BYTES].ljust(MARK_BYTES, b"\0")
            found = self._keys[name, index] = (mark, bool({key, call_key("*", index)} & self._avoided))
        return found


def call_key(name: str, index: int) -> str:
    """Return the name of a call with its GPU, as it is written to the shared memory: `nvmlDeviceGetName@3`."""
    return f"{name}@{index}" if index >= 0 else name


def marked_call(memory: bytes) -> str:
    """Return the call that the shared memory names; "" between two calls."""
    return memory.split(b"\0")[0].decode(errors="replace")
