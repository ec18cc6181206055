"""Another user of this machine: only root can become one, so that other users skip the tests that need it."""

from __future__ import annotations

import os

import pytest

NOBODY = 65534  # a numeric user; no entry in /etc/passwd is needed

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process of another user")
