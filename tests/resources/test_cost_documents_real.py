"""promtool evaluates the query of docs/cost.md on the series of two routes: the cost of 1000 requests by hand."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.programs import find, needs
from tests.support.waiting import patient

pytestmark = [pytest.mark.real, needs("promtool")]

PAGE = Path(__file__).parents[2] / "docs/cost.md"


def test_the_query_of_the_documentation_gives_the_cost_of_1000_requests(tmp_path: Path) -> None:
    (query,) = re.findall(r"```promql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    series = {
        'pilotfish_cost_total{model="m",version="1",route="POST /a",resource="cpu"}': "0+6x120",
        'pilotfish_cost_total{model="m",version="1",route="POST /a",resource="gpu"}': "0+12x120",
        'pilotfish_cost_total{model="m",version="1",route="POST /b",resource="cpu"}': "0+3x120",
        'pilotfish_requests_total{route="POST /a",code="2xx"}': "0+60x120",
        'pilotfish_requests_total{route="POST /a",code="5xx"}': "0+30x120",
        'pilotfish_requests_total{route="POST /b",code="2xx"}': "0+60x120",
        'pilotfish_requests_total{route="GET /health",code="2xx"}': "0+600x120",
    }
    expected = [
        {"labels": f'{{model="m",version="1",route="POST /{route}"}}', "value": cost}
        for route, cost in {"a": 200, "b": 50}.items()  # 18 a minute for 90 requests, and 3 for 60
    ]
    content = {
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [{"expr": f"round({query})", "eval_time": "2h", "exp_samples": expected}],
            }
        ],
    }
    path = tmp_path / "test.yml"
    path.write_text(yaml.safe_dump(content))
    subprocess.run([find("promtool") or "", "test", "rules", str(path)], check=True, timeout=patient(60))
