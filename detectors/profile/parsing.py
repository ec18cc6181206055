"""Parse the JSON document of a profile, or raise an error that names the path of the wrong value.

Profiles come from files and uploads, so every value is checked here, once. `Profile.from_bytes` passes the result to
its constructor. The module maps JSON keys to field names and must accept every document that earlier releases wrote
with the same format and bank version.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any, get_args

import numpy as np

from ..batch import Family, Floats, Ints, Kind, Side
from ..binning.categories import CategoryBins
from ..binning.losses import LossBins, integer_bins
from ..binning.numeric import NumericBins
from ..binning.probabilities import Bins
from ..errors import ProfileError, shown
from ..evalues.bank import BANK_VERSION
from ..losses.task import BY_SCORE, LOSS
from ..transforms import from_document
from .feature import Feature
from .keys import field_names, require_keys
from .performance import PerformanceSpec
from .provenance import ExcludedColumn, HeldOutAlarm, HeldOutTrial, Order, ReferenceSummary
from .slots import SLOTS, Slots

FORMAT = "pilotfish.dev/profile/v1"


FEATURE_KEYS = field_names(Feature) - {"training", "calibration", "variance_inflation"} | {
    "shaping",
    "bounding",
    "inflation",
}
SLOTS_KEYS = frozenset(("shaping", "bounding", "inflation", "bound_inflation"))


def parse(raw: bytes) -> dict[str, Any]:
    """Return the constructor arguments of the `Profile` in a JSON document.

    Raises:
        ProfileError: not JSON, another format or bank version, or a value that no profile can have.
    """
    try:
        document = json.loads(raw, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise ProfileError(f"the profile is not a JSON document: {error}; build it again") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        found = document.get("format") if isinstance(document, dict) else document
        raise ProfileError(
            f"the profile's format is {shown(found)}, not {FORMAT!r}; build it with this version of pilotfish"
        )
    if document.get("bank") != BANK_VERSION:
        raise ProfileError(
            f"the profile was built for alternatives of version {shown(document.get('bank'))}, not {BANK_VERSION}; "
            "build it with this version of pilotfish"
        )
    return _parse(document)


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is not a finite number")


def _finite(text: str) -> float:
    value = float(text)
    return value if isfinite(value) else _no_constant(text)


def _parse(document: dict[str, Any]) -> dict[str, Any]:
    try:
        reference = ReferenceSummary(**require_keys(document["reference"], field_names(ReferenceSummary), "reference"))
        _types(vars(reference), "reference", whole=("rows", "ticks", "longest_block"), texts=("split",))
        _types(
            vars(reference),
            "reference",
            numbers=("tick_seconds", "rows_per_tick", "first_time", "last_time", "duplicate_ratio"),
        )
        if reference.order not in get_args(Order):
            raise ProfileError(f"reference.order must be one of {get_args(Order)}, not {shown(reference.order)}")
        features = tuple(_feature(item, f"features[{i}]") for i, item in enumerate(document["features"]))
        excluded = tuple(
            ExcludedColumn(**require_keys(item, field_names(ExcludedColumn), "excluded"))
            for item in document["excluded"]
        )
        for item in excluded:
            _types(vars(item), "excluded", texts=("name", "reason"))
        transforms = tuple(from_document(item, f"transforms[{i}]") for i, item in enumerate(document["transforms"]))
        names = [feature.name for feature in features]
        if len(set(names)) != len(names):
            raise ProfileError(f"two features have the same name: {shown(sorted(names))}; rename a column")
        performance = PerformanceSpec.from_document(document["performance"], "performance")
        _losses_fit(performance, {feature.name: feature for feature in features})
        return dict(  # noqa: C408  # read as the constructor's keyword arguments
            model=str(document["model"]),
            version=str(document["version"]),
            created=str(document["created"]),
            reference=reference,
            features=features,
            excluded=excluded,
            warnings=_texts(document["warnings"]),
            input_columns=_texts(document["input_columns"]),
            prediction_columns=_texts(document["prediction_columns"]),
            transforms=transforms,
            bank=BANK_VERSION,
            held_out=_held_out(document["held_out"]),
            performance=performance,
        )
    except KeyError as error:
        raise ProfileError(f"the profile lacks the key {error}; build it again") from error
    except (TypeError, ValueError, OverflowError, AttributeError) as error:
        raise ProfileError(f"the profile holds a value of the wrong type: {error}; build it again") from error


def _losses_fit(performance: PerformanceSpec | None, features: Mapping[str, Feature]) -> None:
    """Raise ProfileError unless the features that labels need are present, with bins that fit each other."""
    if performance is None:
        return
    if LOSS not in features or not isinstance(features[LOSS].bins, LossBins):
        raise ProfileError(f"performance needs the feature {LOSS!r} with the bins of a loss; build the profile again")
    if performance.score is None:
        return
    if performance.score not in features or BY_SCORE not in features or not performance.levels:
        raise ProfileError(f"performance.score needs its feature, {BY_SCORE!r} and levels; build the profile again")
    n_bins = integer_bins(features[performance.score].bins.size * len(performance.levels)).size
    if features[BY_SCORE].bins.size != n_bins:
        raise ProfileError(
            f"{BY_SCORE!r} has {features[BY_SCORE].bins.size} bins, not {n_bins}; build the profile again"
        )


def _held_out(document: dict[str, Any] | None) -> HeldOutTrial | None:
    if document is None:
        return None
    known = require_keys(document, field_names(HeldOutTrial), "held_out")
    _types(known, "held_out", whole=("rows", "ticks"))
    alarms = []
    for position, item in enumerate(known["alarms"]):
        where = f"held_out.alarms[{position}]"
        alarm = require_keys(item, field_names(HeldOutAlarm), where)
        _types(alarm, where, whole=("row",), texts=("family",))
        alarms.append(HeldOutAlarm(alarm["row"], alarm["family"], _texts(alarm["features"])))
    return HeldOutTrial(known["rows"], known["ticks"], tuple(alarms))


def _texts(values: list[Any]) -> tuple[str, ...]:
    return tuple(str(value) for value in values)


def _feature(document: dict[str, Any], where: str) -> Feature:
    known = require_keys(document, FEATURE_KEYS, where)
    _types(known, where, texts=("name",), numbers=("n_eff", "smallest_shift", "delay_rows"))
    where = f"{where} ({shown(known['name'])})"
    if known["kind"] not in get_args(Kind) or known["side"] not in get_args(Side):
        raise ProfileError(f"{where} is a {shown(known['kind'])} on side {shown(known['side'])}; build it again")
    if known["family"] not in get_args(Family):
        raise ProfileError(f"{where}.family must be one of {get_args(Family)}, not {shown(known['family'])}")
    bins_of = CategoryBins if "names" in known["bins"] else LossBins if "loss" in known["bins"] else NumericBins
    bins: Bins = bins_of.from_document(known["bins"], f"{where}.bins")
    inflation = _inflation(known["inflation"], f"{where}.inflation")
    slots = None if known["slots"] is None else _slots(known["slots"], bins.size, len(inflation), f"{where}.slots")
    counts = {part: _counts(known[part], bins.size, f"{where}.{part}") for part in ("shaping", "bounding")}
    return Feature(
        name=known["name"],
        side=known["side"],
        family=known["family"],
        kind=known["kind"],
        bins=bins,
        training=counts["shaping"],
        calibration=counts["bounding"],
        variance_inflation=inflation,
        n_eff=known["n_eff"],
        smallest_shift=known["smallest_shift"],
        delay_rows=known["delay_rows"],
        warnings=tuple(known["warnings"]),
        slots=slots,
    )


def _inflation(values: list[Any], where: str) -> Floats:
    out = np.array([float(value) for value in values])
    if not np.all(np.isfinite(out)) or np.any(out < 1):
        raise ProfileError(f"{where} must be numbers >= 1, not {shown(values)}; build the profile again")
    return out


def _slots(document: dict[str, Any], n_bins: int, alternatives: int, where: str) -> Slots:
    known = require_keys(document, SLOTS_KEYS, where)
    inflations = {key: _inflation(known[key], f"{where}.{key}") for key in ("inflation", "bound_inflation")}
    for key, values in inflations.items():
        if len(values) != alternatives:
            raise ProfileError(f"{where}.{key} has {len(values)} entries, not {alternatives}; build the profile again")
    counts: dict[str, Ints] = {}
    for part in ("shaping", "bounding"):
        if len(known[part]) != SLOTS:
            raise ProfileError(f"{where}.{part} must have {SLOTS} slots, not {len(known[part])}; build it again")
        counts[part] = np.array([_counts(slot, n_bins, f"{where}.{part}") for slot in known[part]])
    return Slots(
        training=counts["shaping"],
        calibration=counts["bounding"],
        variance_inflation=inflations["inflation"],
        bound_variance_inflation=inflations["bound_inflation"],
    )


def _types(
    values: Mapping[str, Any],
    where: str,
    *,
    texts: Iterable[str] = (),
    whole: Iterable[str] = (),
    numbers: Iterable[str] = (),
) -> None:
    """Raise ProfileError unless the values are strings, integers from 0, or numbers or null."""
    for names, good, what in (
        (texts, _is_text, "text"),
        (whole, _is_whole, "a whole number"),
        (numbers, _is_number, "a number or null"),
    ):
        for name in names:
            if not good(values[name]):
                raise ProfileError(f"{where}.{name} must be {what}, not {shown(values[name])}; build it again")


def _is_text(value: object) -> bool:
    return type(value) is str


def _is_whole(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**53


def _is_number(value: object) -> bool:
    return value is None or type(value) in {int, float}


def _counts(values: list[Any], size: int, where: str) -> Ints:
    if len(values) != size or not all(map(_is_whole, values)):
        raise ProfileError(f"{where} must be {size} counts, not {shown(values)}; build the profile again")
    return np.array(values, dtype=np.int64)
