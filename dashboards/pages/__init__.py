"""The dashboards. `PAGES` is the table of all, in the order of docs and commands."""

from __future__ import annotations

from . import actions, feature, fleet, own, resources
from .model import PAGE as MODEL

PAGES = (fleet.PAGE, MODEL, feature.PAGE, resources.PAGE, actions.PAGE, own.PAGE)
