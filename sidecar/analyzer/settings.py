"""What the document sets for the worker."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...detectors.profile.profile import Profile
from ...detectors.settings import DriftSettings
from ..errors import quote_value
from ..settings.document import Feedback, KeepRows, Learn
from .decode import Hints
from .engine import EngineFactory
from .errors import ProfileRefusedError
from .stream_detectors import ConfiguredDetector


@dataclass(frozen=True, kw_only=True)
class AnalyzerSettings:
    """What the document sets for the worker. `problem` is why the document cannot be used, empty when it can."""

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
            raise ProfileRefusedError(f"no profile is taken while the document cannot be used: {self.problem}")
        for word, key, ours, theirs in (
            ("model", "name", self.model, profile.model),
            ("version", "version", self.version, profile.version),
        ):
            if ours and theirs and ours != theirs:
                raise ProfileRefusedError(
                    f"the profile {profile.hash[:12]} is of {word} {quote_value(theirs)}, "
                    f"the document is of {quote_value(ours)}; "
                    f"build it with --{word} {ours}, or change spec.model.{key}"
                )
