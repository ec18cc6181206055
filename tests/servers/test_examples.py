"""The example of MLServer works with MLServer itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.pasted import copied
from tests.e2e.test_examples import check_mlserver
from tests.support.processes import Children
from tests.support.programs import needs

pytestmark = [pytest.mark.servers, needs("bash", "curl")]


def test_mlserver_itself(tmp_path: Path, spawn: Children, python: str) -> None:
    mlserver = Path(python).with_name("mlserver")
    replaced = {"python3 train.py": f"{python} train.py", "mlserver start": f"{mlserver} start ."}
    check_mlserver(copied("mlserver", tmp_path, spawn, replaced))
