"""The class that users know as `pilotfish.Profile`.

`detectors.profile.Profile` is the immutable description that every process reads; it has no I/O. This class holds one,
builds it of a data frame by the functions of `pilotfish profile build`, and shows it in a notebook. It has a name of
its own, because one name stands for one thing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ...detectors.cells import missing_words
from ...detectors.profile.profile import Profile
from ...detectors.reference.build import TOLERANCE
from ...detectors.settings import LOSS_TOLERANCE
from ..errors import UsageError, number
from ..profiles.arguments import PARAMETERS
from ..profiles.build import ProfileIdentity, RowTiming, build_from_table, require_timing
from ..profiles.files import read_profile, write_profile
from ..profiles.replay_rows import BUDGET, ReplayTicks, replay_rows, replay_settings
from . import choices
from .frames import WHERE, frame_table, has_column
from .profile_view import FEATURES, feature_rows, profile_html
from .progress import shown_progress
from .result import ReplayResult
from .tables import result_table


class NotebookProfile:
    """What normal rows look like, to monitor live traffic and to replay stored rows.

    Make one with `Profile.from_frame(frame, ...)` or `Profile.load(path)`. In a notebook, it shows its features with
    their histograms.
    """

    def __init__(
        self,
        profile: Profile,
        *,
        left_out: Mapping[str, str] | None = None,
        notes: Iterable[str] = (),
        time: str | None = None,
    ) -> None:
        if not isinstance(profile, Profile):
            raise UsageError(
                "Profile(...) takes no data frame; give Profile.from_frame(frame, ...) or Profile.load(path)"
            )
        self._profile = profile
        self._left_out = left_out if left_out is not None else {item.name: item.reason for item in profile.excluded}
        self._time = time
        self.notes = tuple(notes)

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        time: str | None = None,
        predictions: Iterable[str] | str = (),
        labels: Iterable[str] | str = (),
        score: str | None = None,
        task: str | None = None,
        exclude: Iterable[str] | str = (),
        keep: Iterable[str] | str = (),
        types: Mapping[str, str] | None = None,
        na: Iterable[str] | str = (),
        keep_words: Iterable[str] | str = (),
        model: str = "",
        version: str = "",
        tick: str | float | timedelta = "60s",
        rows_per_tick: float | None = None,
        timezone: str = "UTC",
        exchangeable: bool = False,
    ) -> NotebookProfile:
        """Build the profile of a pandas, polars or Arrow frame, as `pilotfish profile build` does of a file.

        Args:
            frame: one row per request. pandas frames need pandas only; all others are read by pyarrow through the
                Arrow C interface. The index of a pandas frame is a column only where a role names it.
            time: the column with the time of each row: timestamps, ISO 8601, or s, ms, us, ns since 1970.
            predictions: the columns that the model returns; all columns without a role are inputs.
            labels: the columns with the true values, missing where they are not known.
            score: one prediction that is the confidence of the model, or the score of a ranking.
            task: "classification", "ranking" or "regression"; selects the loss (default: inferred).
            exclude: columns to leave out.
            keep: columns to monitor that would be excluded.
            types: a type by column, to override the inferred one: "array", "boolean", "categorical", "integer",
                "numeric", "text" or "timestamp".
            na: more texts that mean missing, here and in live rows, beside "", NA, NULL, None, nan and the like.
            keep_words: texts that are categories, although they mean missing by default, such as "NA".
            model, version: stored in the profile.
            tick: length of a tick of the live traffic: "60s", seconds, or a timedelta.
            rows_per_tick: without `time`: the rows that a live tick is expected to have.
            timezone: IANA name of the zone of a daily cycle, with `time`.
            exchangeable: the rows have no order, as after shuffling.

        Raises:
            PilotfishError: an argument or the frame cannot be used; the message says why, and what to do.
        """
        roles = choices.column_roles(
            time=time,
            predictions=predictions,
            labels=labels,
            score=score,
            task=task,
            exclude=exclude,
            keep=keep,
            types=types,
        )
        timing = RowTiming(choices.seconds("tick", tick), rows_per_tick, exchangeable, timezone)
        require_timing(timing, time, PARAMETERS)
        identity = ProfileIdentity(model, version, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        table = frame_table(frame, roles)
        words = missing_words(choices.names("na", na), choices.names("keep_words", keep_words))
        with shown_progress() as progress:
            built = build_from_table(table, WHERE, roles, timing, identity, words=words, progress=progress)
        return cls(built.profile, left_out=built.left_out, notes=built.notes, time=time)

    from_pandas = from_polars = from_arrow = from_frame

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> NotebookProfile:
        """Read a profile file: profile.json or profile.json.gz; raise PilotfishError."""
        return cls(read_profile(Path(path)))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the profile for the sidecar, compressed if the name ends in .gz; raise PilotfishError."""
        write_profile(Path(path), self._profile)

    def replay(
        self,
        frame: Any,
        *,
        time: str | None = None,
        rows_per_tick: float | None = None,
        tick: str | float | timedelta | None = None,
        false_alarms: str = BUDGET,
        tolerance: float = TOLERANCE,
        loss_tolerance: float = LOSS_TOLERANCE,
    ) -> ReplayResult:
        """Run the rows of a frame through the detector of live traffic, as `pilotfish replay` does.

        Args:
            frame: rows with columns of the profile; other columns are ignored.
            time: the column with the time of each row (default: the one that the profile was built with, if it was
                not loaded and the frame has it). Without it, the order of the rows counts as time.
            rows_per_tick: rows per tick instead of times (default: as the profile was built).
            tick: length of a tick: "60s", seconds, or a timedelta (default: as the profile was built).
            false_alarms: the budget, "N/DURATION".
            tolerance: drift that counts as harmless, as in spec.drift of the document.
            loss_tolerance: increase of the mean loss that counts as harmless.

        Raises:
            PilotfishError: an argument or the frame cannot be used.
        """
        profile = self._profile
        if time is None and rows_per_tick is None and self._time is not None and has_column(frame, self._time):
            time = self._time
        roles = choices.column_roles(time=time)
        seconds = choices.seconds("tick", tick) if tick is not None else profile.reference.live_tick_seconds
        settings = replay_settings(seconds, choices.budget(false_alarms), tolerance, loss_tolerance, PARAMETERS)
        exact = [feature.name for feature in profile.features if feature.kind == "categorical"]
        ticks = ReplayTicks(settings, time, rows_per_tick, PARAMETERS)
        given = replay_rows(frame_table(frame, roles, exact), WHERE, profile, ticks)
        with shown_progress() as progress:
            return ReplayResult.of(given, settings, datetime.now(UTC).timestamp(), progress)

    @property
    def features(self) -> Any:
        """One row per feature, as a data frame.

        `typical` is the range from the 1st to the 99th percentile, or the top values. `smallest_shift` is in standard
        deviations. `rows_to_alarm` are the rows until a shift of 1 standard deviation raises an alarm.
        """
        return result_table(FEATURES, list(feature_rows(self._profile)))

    @property
    def excluded(self) -> Any:
        """The columns that are not monitored, with the reason, as a data frame."""
        rows = [{"column": column, "reason": reason} for column, reason in self._left_out.items()]
        return result_table(("column", "reason"), rows)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What limits the profile: what it cannot detect, and when to expect an alarm."""
        return self._profile.warnings

    @property
    def hash(self) -> str:
        """SHA-256 of the profile, as reports and metrics show it."""
        return self._profile.hash

    @property
    def model(self) -> str:
        """The name of the model."""
        return self._profile.model

    @property
    def version(self) -> str:
        """The version of the model."""
        return self._profile.version

    @property
    def rows(self) -> int:
        """The number of reference rows."""
        return self._profile.reference.rows

    def to_bytes(self) -> bytes:
        """Return the content of the profile file, not compressed."""
        return self._profile.to_bytes()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NotebookProfile) and self.hash == other.hash

    def __hash__(self) -> int:
        return hash(self.hash)

    def __repr__(self) -> str:
        named = " version ".join(filter(None, (self.model, self.version)))
        size = f"{number(self.rows, 'row')}, {number(len(self._profile.features), 'feature')}"
        return f"<pilotfish.Profile {named + ': ' if named else ''}{size}, sha256 {self.hash[:16]}>"

    def _repr_html_(self) -> str:
        return profile_html(self._profile, self._left_out, self.notes)
