"""Parse the JSON document of a profile, or raise an error that names the path of the wrong value.

Profiles come from files and uploads, so every value is checked here, once: first its type, range and size (`schema`),
then what depends on other values (`consistency`). `Profile.from_bytes` passes the result to its constructor. The module
maps JSON keys to field names and must accept every document that earlier releases wrote with the same format and bank
version.
"""

from __future__ import annotations

import json
from collections import Counter
from math import isfinite
from typing import Any

from .. import schema
from ..batch import Family, Floats, Ints, Kind, Side
from ..binning.categories import CategoryBins
from ..binning.losses import LossBins
from ..binning.numeric import NumericBins
from ..binning.probabilities import Bins
from ..errors import DetectorError, ProfileError, shown
from ..evalues.bank import BANK_VERSION
from ..timezones import time_zone
from ..transforms import from_document
from .consistency import require_consistent
from .feature import Feature
from .performance import PERFORMANCE
from .provenance import EXCLUDED, HELD_OUT, REFERENCE
from .slots import SLOT_KINDS, SlotName, Slots

FORMAT = "pilotfish.dev/profile/v2"
MOST_ALTERNATIVES = 4096  # of a feature; the bank has about 250 at most
LARGEST_INFLATION = 1e15
LONGEST_WARNING = 200_000  # characters; a warning may name every feature
MOST_WORDS = 1000  # words that mean missing; 20 are usual
LEAST_N_EFF = 0.05  # n_eff is rounded to tenths; it is 0, or at least this


def parse(raw: bytes) -> dict[str, Any]:
    """Return the constructor arguments of the `Profile` in a JSON document.

    Raises:
        ProfileError: not JSON, another format or bank version, or a value that no profile can have.
    """
    try:
        document = json.loads(raw, object_pairs_hook=_distinct, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise ProfileError(f"the profile is not a JSON document: {error}; build it again") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        found = document.get("format") if isinstance(document, dict) else document
        raise ProfileError(
            f"the profile's format is {shown(found)}, not {FORMAT!r}; build it with this version of pilotfish"
        )
    if type(document.get("bank")) is not int or document["bank"] != BANK_VERSION:
        raise ProfileError(
            f"the profile was built for alternatives of version {shown(document.get('bank'))}, not {BANK_VERSION}; "
            "build it with this version of pilotfish"
        )
    known: dict[str, Any] = _PROFILE(document, "$")
    del known["format"]
    require_consistent(known)
    return known


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise ValueError(f"the key {shown(twice)} appears twice")
    return found


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is not a finite number")


def _finite(text: str) -> float:
    value = float(text)
    return value if isfinite(value) else _no_constant(text)


def _feature(document: object, where: str) -> Feature:
    known = _FEATURE(document, where)
    where = f"{where} ({shown(known['name'])})"
    bins = _bins(known["bins"], f"{where}.bins")
    parts = {part: schema.counts(bins.size)(known[part], f"{where}.{part}") for part in ("shaping", "bounding")}
    if 0 < known["n_eff"] < LEAST_N_EFF:
        raise schema.unfit(f"{where}.n_eff", f"0, or at least {LEAST_N_EFF}", known["n_eff"])
    inflation = known["inflation"]
    slots = None if known["slots"] is None else _slots(known["slots"], bins.size, len(inflation), f"{where}.slots")
    return Feature(
        name=known["name"],
        side=known["side"],
        family=known["family"],
        kind=known["kind"],
        bins=bins,
        training=parts["shaping"],
        calibration=parts["bounding"],
        variance_inflation=inflation,
        inflation_growth=schema.sized(known["growth"], len(inflation), f"{where}.growth"),
        n_eff=known["n_eff"],
        smallest_shift=known["smallest_shift"],
        delay_rows=known["delay_rows"],
        warnings=known["warnings"],
        slots=slots,
        mismatches=known["mismatches"],
    )


def _bins(document: object, where: str) -> Bins:
    if not isinstance(document, dict):
        raise schema.unfit(where, "an object", document)
    bins_of = CategoryBins if "names" in document else LossBins if "loss" in document else NumericBins
    return bins_of.from_document(document, where)


def _slots(document: object, n_bins: int, alternatives: int, where: str) -> Slots:
    known = _SLOTS(document, where)
    inflations: dict[str, Floats] = {
        key: schema.sized(known[key], alternatives, f"{where}.{key}")
        for key in ("inflation", "bound_inflation", "growth")
    }
    kind = SLOT_KINDS[known["kind"]]
    by_slot = schema.listed(schema.counts(n_bins), kind.count, kind.count)
    parts: dict[str, Ints] = {
        key: schema.stacked(by_slot(known[key], f"{where}.{key}")) for key in ("shaping", "bounding")
    }
    return Slots(
        kind=kind,
        training=parts["shaping"],
        calibration=parts["bounding"],
        variance_inflation=inflations["inflation"],
        bound_variance_inflation=inflations["bound_inflation"],
        inflation_growth=inflations["growth"],
        timezone=known["timezone"],
    )


def _timezone(value: object, where: str) -> str:
    name = _NAME(value, where)
    try:
        time_zone(name)
    except DetectorError as error:
        raise ProfileError(f"{where}: {error}") from error
    return name


_NAME = schema.text(0, schema.LONGEST_NAME)
_INFLATION = schema.reals(1, LARGEST_INFLATION, longest=MOST_ALTERNATIVES)
_GROWTH = schema.reals(0, LARGEST_INFLATION, longest=MOST_ALTERNATIVES)
_WARNINGS = schema.listed(schema.text(), most=10)
_SLOTS = schema.fields(
    bound_inflation=_INFLATION,
    bounding=schema.anything,
    growth=_GROWTH,
    inflation=_INFLATION,
    kind=schema.one_of(SlotName),
    shaping=schema.anything,
    timezone=_timezone,
)
_FEATURE = schema.fields(
    bins=schema.anything,
    bounding=schema.anything,
    delay_rows=schema.optional(schema.number(0)),
    family=schema.one_of(Family),
    growth=_GROWTH,
    inflation=_INFLATION,
    kind=schema.one_of(Kind),
    mismatches=schema.whole(),
    n_eff=schema.number(0, schema.LARGEST_COUNT),
    name=schema.text(0, schema.LONGEST_DERIVED),
    shaping=schema.anything,
    side=schema.one_of(Side),
    slots=schema.anything,
    smallest_shift=schema.number(0),
    warnings=_WARNINGS,
)
_PROFILE = schema.fields(
    bank=schema.whole(),
    created=schema.text(),
    excluded=schema.listed(EXCLUDED),
    features=schema.listed(_feature, 1),
    format=schema.text(),
    held_out=schema.optional(HELD_OUT),
    input_columns=schema.names(),
    missing_words=schema.names(0, MOST_WORDS),
    model=_NAME,
    performance=schema.optional(PERFORMANCE),
    prediction_columns=schema.names(),
    reference=REFERENCE,
    text_numbers=schema.names(),
    transforms=schema.listed(from_document),
    unsent_columns=schema.names(),
    version=_NAME,
    warnings=schema.listed(schema.text(most=LONGEST_WARNING), most=20),
)
