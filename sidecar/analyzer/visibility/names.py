"""Conditions about the document: a profile that is missing, and names that neither profile nor traffic has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from ....detectors.profile.profile import Profile
from ....detectors.quality.monitor import MAX_UNKNOWN_COLUMNS
from ...errors import quote_value
from ...settings.document import ModelMonitor, Spec
from ...settings.streams import parse_stream
from ..snapshot import Snapshot
from ..unprofiled import MAX_COLUMNS
from .blindness import LISTED, Blindness
from .readings import View

MANY_ROWS = 100  # rows after which a column that no row has is called unknown
SIMILARITY = 0.6


def no_profile(view: View) -> Blindness | None:
    """Report that the document asks for a profile and none is in force."""
    reading = view.reading
    report, wanted = reading.report, reading.setting.profile_wanted
    learning = report.learning
    if report.state != "unprofiled":
        return None
    if learning is not None and learning.state == "gave_up":
        return Blindness(f"Drift is not detected: {report.reason}", total=reading.sync is None)
    if learning is not None or not wanted:
        return None
    return Blindness(f"Drift is not detected: no profile is in force: {wanted}", total=True)


def nothing_watched(view: View) -> Blindness | None:
    """Report that no feature of the profile can raise an alarm."""
    profile, document = view.reading.snapshot.profile, view.reading.setting.document
    if profile is None or not view.reading.setting.detects:
        return None
    features = document.spec.drift.features if document is not None else {}
    ignored = {name for name, item in features.items() if item.ignore}
    watched = [feature.name for feature in profile.features if feature.watched]
    left = [name for name in watched if name not in ignored and _column(profile, name) not in ignored]
    if left:
        return None
    why = "spec.drift.features ignores all of them" if watched else "the profile has none (see its warnings)"
    return Blindness(f"No feature can raise an alarm: {why}; drift is not detected", total=True)


def unknown_names(view: View) -> Blindness | None:
    """Report that the document names features or columns that neither the profile nor the traffic has."""
    document, profile = view.reading.setting.document, view.reading.snapshot.profile
    if document is None:
        return None
    found = [*(unknown_features(document, profile) if profile is not None else ()), *_masks(document, view)]
    if not found:
        return None
    more = f"; and {len(found) - LISTED} more" if len(found) > LISTED else ""
    return Blindness(f"Settings without effect: {'; '.join(found[:LISTED])}{more}", total=False)


def unknown_features(document: ModelMonitor, profile: Profile) -> Iterator[str]:
    """Yield the features that the document names and the profile lacks."""
    drift = document.spec.drift
    columns = {*profile.input_columns, *profile.prediction_columns}
    for name, item in drift.features.items():
        known = set(profile.index) | (columns if item.ignore else set())
        if name not in known:
            yield unknown_name(f"spec.drift.features.{name}", "the profile has no such feature", name, known)
    yield from _unknown_decode_columns(document, profile)
    for index, detector in enumerate(drift.detectors):
        try:
            feature = parse_stream(detector.stream).feature
        except ValueError:
            continue
        path = f"spec.drift.detectors[{index}].stream"
        if feature and feature not in profile.index:
            yield unknown_name(path, f"the profile has no feature {quote_value(feature)}", feature, profile.index)
        elif not feature and profile.performance is None:
            yield f"{path}: the profile has no label column, so it has no losses"


def _unknown_decode_columns(document: ModelMonitor, profile: Profile) -> Iterator[str]:
    """Yield the columns of spec.traffic.decode that the profile lacks; a single prediction needs no certain name."""
    decode = document.spec.traffic.decode
    if decode is None:
        return
    single = len(decode.prediction_columns) == len(profile.prediction_columns) == 1
    sides = [
        ("inputColumns", decode.input_columns, profile.input_columns, "input"),
        ("predictionColumns", {} if single else decode.prediction_columns, profile.prediction_columns, "prediction"),
    ]
    for setting, columns, known, side in sides:
        for name in columns:
            parts = (f"{name}.", f"{name}[")  # an object or a list becomes several columns
            if name not in known and not any(column.startswith(parts) for column in known):
                yield unknown_name(
                    f"spec.traffic.decode.{setting}.{name}", f"the profile has no such {side} column", name, known
                )


def _masks(document: ModelMonitor, view: View) -> Iterator[str]:
    """Yield the masked columns that no row has: a misspelt name would leave a column on disk that must not be there."""
    reading = view.reading
    if sum(item.rows for item in reading.report.rows if item.side == "input") < MANY_ROWS:
        return
    snapshot = reading.snapshot
    if len(snapshot.report.columns) >= MAX_COLUMNS or len(snapshot.unknown_columns) >= MAX_UNKNOWN_COLUMNS:
        return  # more columns may exist than are known by name
    live = _live_columns(snapshot)
    known = snapshot.profile.input_columns if snapshot.profile is not None else ()  # no names of clients
    for path, names in masked_columns(document.spec):
        for name in names:
            if name not in live:
                yield unknown_name(path, f"no request has the column {quote_value(name)}", name, known)


def masked_columns(spec: Spec) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the path of each setting that masks columns, and their names."""
    if spec.traffic.keep_rows is not None:
        yield "spec.traffic.keepRows.mask", spec.traffic.keep_rows.mask
    for index, source in enumerate(spec.profiles):
        if source.learn is not None:
            yield f"spec.profiles[{index}].learn.mask", source.learn.mask


def _live_columns(snapshot: Snapshot) -> set[str]:
    """Return the names of all known columns: of the profile, and of live rows without a profile or beside it."""
    known = {item.name for item in snapshot.report.columns} | snapshot.unknown_columns
    if snapshot.profile is not None:
        known |= {*snapshot.profile.input_columns, *snapshot.profile.prediction_columns}
    return known


def unknown_name(path: str, problem: str, name: str, known: Iterable[str]) -> str:
    """Return the sentence about `name` at `path` of the document, with the most similar one of the `known` names."""
    near = get_close_matches(name, list(known), 1, SIMILARITY)
    return f"{path}: {problem}" + (f"; did you mean {quote_value(near[0])}?" if near else "")


def _column(profile: Profile, feature: str) -> str:
    made = profile.column_transforms.get(feature)
    return made.column if made is not None else feature
