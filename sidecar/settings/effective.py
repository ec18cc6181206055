"""The settings in force, as text for people: each with its value as in a document, and whether it is the default."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from ..errors import hide_path, redact_urls
from .document import ModelMonitor
from .parsing import annotations_of, unit_of
from .units import UNITS, show_duration
from .validation import ticks_per_false_alarm
from .webhooks import Webhook

_KUBERNETES_PATHS = ("metadata.namespace", "metadata.labels", "metadata.annotations", "status")


@dataclass(frozen=True, slots=True)
class EffectiveSetting:
    """One setting in force: its path ("spec.drift.tick"), its value ("60s"), and whether it is the default."""

    path: str
    value: str
    default: bool


def settings_in_force(monitor: ModelMonitor) -> tuple[EffectiveSetting, ...]:
    """Return all settings of `monitor` in the order of the document, without absent blocks."""
    return tuple(setting for setting in _walk(monitor, "") if not setting.path.startswith(_KUBERNETES_PATHS))


def budget_sentence(monitor: ModelMonitor) -> str:
    """Return a sentence with the false-alarm budget and the resulting threshold."""
    drift = monitor.spec.drift
    budget, ticks = drift.false_alarms, ticks_per_false_alarm(drift)
    return (
        f"at most {budget.count:g} false alarm{'' if budget.count == 1 else 's'} in {show_duration(budget.per)}: "
        f"the threshold for evidence is {ticks:,.0f}, the ticks of {show_duration(drift.tick)} per false alarm"
    )


def _walk(struct: msgspec.Struct, path: str) -> Iterator[EffectiveSetting]:
    tag = struct.__struct_config__.tag
    if tag:
        yield EffectiveSetting(f"{path}.type", str(tag), default=False)
    for item in msgspec.structs.fields(type(struct)):
        value = getattr(struct, item.name)
        here = f"{path}.{item.encode_name}".lstrip(".")
        if value is None:
            continue
        if isinstance(value, msgspec.Struct):
            yield from _walk(value, here)
        elif isinstance(value, (tuple, Mapping)) and value and isinstance(_first(value), msgspec.Struct):
            entries = value.items() if isinstance(value, Mapping) else enumerate(value)
            for key, entry in entries:
                yield from _walk(entry, f"{here}[{key}]" if isinstance(key, int) else f"{here}.{key}")
        else:
            if isinstance(struct, Webhook) and item.name == "url":
                value = hide_path(value)
            unit = unit_of(annotations_of(type(struct))[item.name])
            yield EffectiveSetting(here, _format(value, unit), default=_is_default(item, value))


def _first(value: tuple[Any, ...] | Mapping[str, Any]) -> Any:
    return next(iter(value.values() if isinstance(value, Mapping) else value))


def _is_default(item: msgspec.structs.FieldInfo, value: Any) -> bool:
    if item.default_factory is not msgspec.NODEFAULT:
        return bool(value == item.default_factory())
    return bool(value == item.default)


def _format(value: Any, unit: str | None) -> str:
    if unit is not None:
        return UNITS[unit].show(value)
    if isinstance(value, str):
        return redact_urls(value) or '""'
    return f"{value:g}" if isinstance(value, float) else msgspec.json.encode(value).decode()
