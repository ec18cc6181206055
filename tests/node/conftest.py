"""Fixtures of the tests of the node's Pilotfish."""

from __future__ import annotations

from tests.support.nvml.fixtures import driver, library  # noqa: F401  # fixtures for this folder
