"""Audited actions: decisions of people, files and learning about profiles and episodes.

Each action first submits a command, which the worker may refuse, and appends to the audit log only afterwards. So the
audit log never contains a decision that was refused.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from ...detectors.profile.profile import Profile
from ..errors import RefusedError, quote_value
from ..labels.duplicates import duplicate_key
from ..report.schema import AuditEntry, LearningStatus, Report
from . import checkpoint
from .audit import AuditLog
from .commands import (
    BeginLearning,
    CloseEpisode,
    EndLearning,
    SetProfile,
    ShowDecisions,
    SimpleCommand,
    UpdateLearning,
    Warn,
)
from .errors import LearningRefusedError, ProfileRefusedError, StoppingError
from .learning import MAX_TRIES
from .profile_store import ProfileStore, parse_profile

if TYPE_CHECKING:
    from multidict import MultiMapping

MAX_BY_LENGTH, MAX_REASON_LENGTH = 100, 500

By = Annotated[str, Meta(min_length=1, max_length=MAX_BY_LENGTH)]
Reason = Annotated[str, Meta(min_length=1, max_length=MAX_REASON_LENGTH)]


class RebaselineRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST /rebaseline`: learn a new profile from the next `rows` rows."""

    by: By
    reason: Reason
    rows: Annotated[int, Meta(ge=1000, le=10**6)] = 20_000


class AuditedActions:
    """One method per decision. On RefusedError, nothing has changed and the audit log has no entry.

    `by` and `reason` come from the requester and are recorded as given.
    """

    def __init__(
        self,
        audit: AuditLog,
        profile_store: ProfileStore,
        submit: Callable[[SimpleCommand], Future[None]],
        read: Callable[[], Report],
    ) -> None:
        self._audit = audit
        self._profile_store = profile_store
        self._submit = submit
        self._read = read
        self._unstored = b""
        self._storing = asyncio.Lock()  # the profile that was put into force last is stored last

    async def set_profile(self, raw: bytes, by: str = "", reason: str = "") -> str:
        """Put the profile in `raw` into force, store it and return its hash."""
        profile = await asyncio.to_thread(parse_profile, raw, "PUT /profile")
        await self.set_parsed_profile(profile, raw, by, reason)
        return profile.hash

    async def set_parsed_profile(self, profile: Profile, raw: bytes, by: str, reason: str = "") -> None:
        """Put `profile` into force and store `raw`, from which it was parsed."""
        before = self._read()
        await self._submit_and_wait(SetProfile(profile))
        await self._store(raw)
        await self._record_profile(before, profile, by=by, reason=reason)
        await self._record_superseded(before)

    async def follow_file(self) -> bool:
        """Return whether the document's profile file has changed; put the profile in it into force.

        A profile that could not be stored, for example on a full disk, is stored as soon as that succeeds. Raises
        ProfileRefusedError.
        """
        if await asyncio.to_thread(self._profile_store.changed):
            await self._reload_file()
            return True
        if self._unstored:
            await self._store(None)
        return False

    async def _reload_file(self) -> None:
        """Put the profile of the document's file into force if it has changed; raise ProfileRefusedError."""
        before = self._read()
        profile = await asyncio.to_thread(self._profile_store.load_changed)
        if profile is None:
            return
        await self._submit_and_wait(SetProfile(profile))
        await asyncio.to_thread(self._profile_store.confirm)
        await asyncio.to_thread(self._profile_store.forget_lost)
        self._unstored = b""
        await self._record_profile(before, profile, by="the document's file")
        await self._record_superseded(before)

    async def close_episode(self, episode: str, by: str = "", reason: str = "") -> None:
        """Close an episode."""
        await self._submit_and_wait(CloseEpisode(episode))
        await self._record("close_episode", "closed", self._read(), by=by, reason=reason, episode=episode)

    async def rebaseline(self, raw: bytes) -> LearningStatus:
        """Start a rebaseline with the RebaselineRequest in `raw`; return the new learning."""
        example = '{"by": "ann", "reason": "new prices since May", "rows": 20000}'
        try:
            wanted = msgspec.json.decode(raw, type=RebaselineRequest)
            twice = duplicate_key(raw)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise RefusedError(f"cannot read the body: {error}; send {example}") from error
        if twice is not None:
            raise RefusedError(f"cannot read the body: the key {quote_value(twice)} is given twice; send {example}")
        _require_printable("by", wanted.by)
        _require_printable("reason", wanted.reason)
        before = self._read()
        if before.state == "idle":
            raise LearningRefusedError(f"cannot learn a profile while the analyzer is idle: {before.reason}")
        learning = LearningStatus(
            id=secrets.token_hex(8), kind="rebaseline", wanted=wanted.rows, by=wanted.by, reason=wanted.reason,
            began=time.time(),
        )  # fmt: skip
        await self._submit_and_wait(BeginLearning(learning))
        await self._record("rebaseline", "begun", before, by=wanted.by, reason=wanted.reason)
        return learning

    async def cancel_learning(self, by: str = "", reason: str = "") -> None:
        """Cancel the learning under way and remove its rows; the profile in force stays."""
        before = self._read()
        if before.learning is None:
            raise LearningRefusedError("nothing to cancel: no profile is being learned")
        await self._submit_and_wait(EndLearning(before.learning.id))
        await self._record(before.learning.kind, "cancelled", before, by=by, reason=reason, rows=before.learning.rows)

    async def set_learned_profile(self, learning: LearningStatus, raw: bytes, rows: int) -> None:
        """Put the profile in `raw`, built by `learning`, into force; store it and remove the learning's rows.

        The learning ends last. After a crash at any step, it builds the same profile again from the same rows. A
        profile that is refused is a failed build.
        """
        before = self._read()
        try:
            profile = await asyncio.to_thread(parse_profile, raw, "the learned profile")
            await self._submit_and_wait(SetProfile(profile, learning_id=learning.id))
        except ProfileRefusedError as error:
            await self.record_failed_build(learning, str(error))
            return
        if not any(entry.action == learning.kind and entry.new == profile.hash for entry in self._audit.newest):
            await self._record(
                learning.kind, "in_force", before, new=profile.hash, rows=rows, by=learning.by, reason=learning.reason
            )
        stored = await self._store(raw)
        await self._submit_and_wait(EndLearning(learning.id))
        if not stored:  # the disk was full; the removed rows may have made room
            await self._store(raw)

    async def record_failed_build(self, learning: LearningStatus, problem: str) -> None:
        """Record that the build of `learning` failed with `problem`; it gathers rows again or is given up."""
        await self._submit_and_wait(UpdateLearning(learning.id, problem=problem))
        outcome = "gave_up" if learning.tries >= MAX_TRIES else "gathering_anew"
        await self._record(
            learning.kind, f"{outcome}: {problem[:200]}", self._read(), by=learning.by, reason=learning.reason,
            rows=learning.rows,
        )  # fmt: skip

    async def _record_profile(self, before: Report, profile: Profile, *, by: str, reason: str = "") -> None:
        """Record a profile that replaced another one; repetitions must not fill the audit log."""
        if before.profile is None or before.profile.hash != profile.hash:
            await self._record("profile", "in_force", before, new=profile.hash, by=by, reason=reason)

    async def _record_superseded(self, before: Report) -> None:
        learning = before.learning
        if learning is not None and learning.state != "gave_up":
            await self._record(
                learning.kind, "superseded by another profile", before, by=learning.by, reason=learning.reason,
                rows=learning.rows,
            )  # fmt: skip

    async def _store(self, raw: bytes | None) -> bool:
        """Store a profile, by default the one that could not be stored; return whether that succeeded."""
        async with self._storing:
            self._unstored = self._unstored if raw is None else raw
            if not self._unstored:
                return True
            try:
                await asyncio.to_thread(self._profile_store.store, self._unstored)
            except checkpoint.CheckpointError as error:
                self._submit(Warn("profile", f"the profile is in force but not stored: {error}"))
                return False
            self._unstored = b""
            self._submit(Warn("profile", ""))
            return True

    async def _submit_and_wait(self, command: SimpleCommand) -> None:
        await asyncio.wrap_future(self._submit(command))

    async def _record(
        self, action: str, outcome: str, before: Report, *, by: str = "", reason: str = "", new: str = "",
        rows: int = 0, episode: str = "",
    ) -> None:  # fmt: skip
        decision = AuditEntry(
            time=time.time(),
            action=action,
            outcome=outcome,
            by=by[:MAX_BY_LENGTH],
            reason=reason[:MAX_REASON_LENGTH],
            old=before.profile.hash if before.profile else "",
            new=new,
            rows=rows,
            episode=episode,
        )
        await asyncio.to_thread(self._audit.append, decision)
        with suppress(StoppingError):  # the entry is in the file; the report shows it after the restart
            await self._submit_and_wait(ShowDecisions(self._audit.newest))
            await self._submit_and_wait(Warn("audit", self._audit.problem))


def query_text(query: MultiMapping[str], name: str, max_length: int) -> str:
    """Return the query parameter `name`, empty when absent; raise RefusedError for a value that cannot be recorded."""
    found = query.getall(name, [])
    if len(found) > 1:
        raise RefusedError(f"the parameter {name} is given {len(found)} times; send it once")
    text = "".join(found)
    if len(text) > max_length:
        raise RefusedError(
            f"the parameter {name} has {len(text)} characters: {quote_value(text)}; send {max_length} at most"
        )
    _require_printable(name, text)
    return text


def _require_printable(name: str, text: str) -> None:
    """Raise RefusedError for control and bidirectional characters, which could forge a line where people read it."""
    if not text.isprintable():
        raise RefusedError(f"{name} has characters that cannot be shown: {quote_value(text)}; send printable text")
