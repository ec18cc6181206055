"""Count the accepted labels that have no loss, by reason.

A label is accepted if it is joined or direct. `component.py` counts the result, and `visibility/labels.py` shows it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from ....detectors.batch import as_column, is_missing
from ....detectors.profile.profile import Profile
from ....detectors.transforms.loss import LossTransform
from ...labels.labels import DIRECT, JOINED
from .frames import LabelEvent

UNUSED_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "label_unusable": "the label does not fit the task: it is not a number, or not one of the two classes",
        "no_label_column": "the profile was built without a label column (profile build --label)",
        "no_prediction": "the prediction of the row is missing, or was not read from the response",
        "no_profile": "no profile is in force",
        "other_profile": "the prediction was stored under another profile",
    }
)


def count_unused(event: LabelEvent, profile: Profile | None, reason: str) -> Counter[str]:
    """Return the accepted labels of `event` without a loss, by key of `UNUSED_REASONS`.

    `profile` scores labels; it is None if labels are only counted, for the given `reason`.
    """
    accepted = event.outcomes.get(JOINED, 0) + event.outcomes.get(DIRECT, 0)
    if not accepted:
        return Counter()
    if profile is None:
        return Counter({reason: accepted})
    if event.rows and event.profile != profile.hash:
        return Counter(other_profile=accepted)
    found = _without_loss(event, profile)
    return found + Counter(other_profile=accepted - event.rows)


def _without_loss(event: LabelEvent, profile: Profile) -> Counter[str]:
    transform = next((item for item in profile.transforms if isinstance(item, LossTransform)), None)
    if transform is None or not event.rows:
        return Counter()
    predictions, labels = (
        event.columns.get(name, [None] * event.rows) for name in (transform.prediction, transform.label)
    )
    losses = transform.loss.of(as_column(predictions), as_column(labels))
    return Counter(
        "no_prediction" if is_missing(predictions[row]) else "label_unusable"
        for row in np.flatnonzero(np.isnan(losses)).tolist()
    )
