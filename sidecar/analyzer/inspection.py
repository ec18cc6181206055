"""Opens the files that a document names, for `pilotfish check`, and returns what a running analyzer would report.

It uses the functions of the start (`configure`, `ProfileStore`, `Pipeline.set_profile`), so the words are the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ...detectors.errors import DetectorError
from ...detectors.profile.profile import Profile
from ..errors import quote_value
from ..settings.document import ModelMonitor, ProfileSource
from ..settings.load import load
from .configuration import Configuration, configuration_of, profile_wanted
from .engine import EngineFactory
from .errors import ProfileRefusedError
from .exchange_ledger import ExchangeLedger
from .pipeline import Pipeline
from .profile_store import ProfileStore
from .visibility.names import masked_columns, unknown_features, unknown_name


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What was found: `problems` keep the analyzer from measuring all that the document asks for."""

    document: ModelMonitor
    problems: tuple[str, ...]
    warnings: tuple[str, ...]


def inspect(path: Path, engine_factory: EngineFactory, *, cluster: bool) -> Inspection:
    """Open the document at `path` and the profiles that it names; raise SettingsError for the document itself.

    In a `cluster`, files lie elsewhere: those that are absent here give a warning.
    """
    document = load(path, cluster=cluster)
    try:
        configured = configuration_of(document, path.parent, engine_factory, cluster=cluster)
    except DetectorError as error:
        return Inspection(document=document, problems=(f"the document cannot be used: {error}",), warnings=())
    problems, warnings = [], list(configured.notes)
    profile: Profile | None = None
    for source in document.spec.profiles:
        if source.path is None:
            continue
        file = path.parent / source.path
        if cluster and not file.exists():
            warnings.append(f"profile {quote_value(file)} is not here and was not checked")
            continue
        try:
            found = _open(configured, source, file)
        except ProfileRefusedError as error:
            problems.append(str(error))
            continue
        profile = found if file == configured.profile_path else profile
    if configured.profile_path is None and not cluster and configured.settings.learn is None:
        problems += filter(None, [profile_wanted(configured, "")])
    warnings += [
        f"spec.drift.detectors: {item.type}: {item.problem}" for item in configured.settings.streams if item.problem
    ]
    if profile is not None:
        problems += unknown_features(document, profile)
        problems += _misspelt_masks(document, profile)
    return Inspection(document=document, problems=tuple(problems), warnings=tuple(warnings))


def _open(configured: Configuration, source: ProfileSource, file: Path) -> Profile:
    """Return the profile in `file`, put into force for the version of `source`; raise ProfileRefusedError."""
    profile = ProfileStore(file, file.parent).load_changed()
    assert profile is not None  # a store that has loaded nothing yet has no profile in force
    settings = replace(configured.settings, version=source.version or configured.settings.version)
    Pipeline(settings, ExchangeLedger.of_file(None, 0)).set_profile(profile)
    return profile


def _misspelt_masks(document: ModelMonitor, profile: Profile) -> Iterator[str]:
    """Yield the masked columns that are almost a column of the profile; others may exist in the traffic only."""
    columns = {*profile.input_columns, *profile.prediction_columns}
    known = columns | {item.name for item in profile.excluded}
    for path, names in masked_columns(document.spec):
        for name in names:
            text = unknown_name(path, f"the profile has no column {quote_value(name)}", name, columns)
            if name not in known and "did you mean" in text:
                yield text
