"""The worker's settings: the part of the document that the pipeline needs, already converted and checked.

`configuration.py` creates them. They never change while the process runs; a changed document recycles the process.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ...detectors.profile.profile import Profile
from ...detectors.settings import DriftSettings
from ..errors import quote_value
from ..settings.document import Feedback, Learn
from ..settings.traffic import KeepRows
from .decode import Hints
from .engine import EngineFactory
from .errors import ProfileRefusedError
from .stream_detectors import ConfiguredDetector


@dataclass(frozen=True, kw_only=True)
class AnalyzerSettings:
    """Settings from the document. `problem` is the reason why the document cannot be used; empty when it can."""

    model: str = ""
    version: str = ""
    mode: str = ""
    hints: Hints = field(default_factory=Hints)
    drift: DriftSettings
    feedback: Feedback = field(default_factory=Feedback)
    engine_factory: EngineFactory
    learn: Learn | None = None
    keep_rows: KeepRows | None = None
    streams: tuple[ConfiguredDetector, ...] = ()
    problem: str = ""

    def check_profile(self, profile: Profile) -> None:
        """Raise ProfileRefusedError when the profile does not fit the document."""
        if self.problem:
            raise ProfileRefusedError(f"the profile is refused while the document cannot be used: {self.problem}")
        for word, key, ours, theirs in (
            ("model", "name", self.model, profile.model),
            ("version", "version", self.version, profile.version),
        ):
            if ours and theirs and ours != theirs:
                raise ProfileRefusedError(
                    f"the profile {profile.hash[:12]} is for {word} {quote_value(theirs)}, "
                    f"the document is for {quote_value(ours)}; "
                    f"build the profile with --{word} {ours}, or change spec.model.{key}"
                )
