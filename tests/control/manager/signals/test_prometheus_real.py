"""A real Prometheus: the queries of docs/scaling-signals.md have one number each, and wrong ones say why not."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from pilotfish.sidecar.control.manager.signals.endpoint import PrometheusEndpoint
from pilotfish.sidecar.control.manager.signals.prometheus import PrometheusSource
from tests.control.manager.signals.made import wanted
from tests.dashboards import prometheus
from tests.dashboards.prometheus import ScrapeTarget
from tests.support.processes import Children
from tests.support.programs import needs

pytestmark = [pytest.mark.asyncio, pytest.mark.real, needs("prometheus")]

PAGE = Path(__file__).parents[4] / "docs/scaling-signals.md"
# As the servers export them, with the labels that they have.
EXPORTED = """\
vllm:num_requests_waiting{engine="0",model_name="llama"} 6
vllm:kv_cache_usage_perc{engine="0",model_name="llama"} 0.5
sglang:num_queue_reqs{model_name="llama"} 6
sglang:token_usage{model_name="llama"} 0.5
tgi_queue_size 6
nv_inference_pending_request_count{model="ensemble",version="1"} 6
nv_trt_llm_request_metrics{model="tensorrt_llm",request_type="waiting",version="1"} 6
nv_trt_llm_request_metrics{model="tensorrt_llm",request_type="scheduled",version="1"} 9
nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="fraction",model="tensorrt_llm",version="1"} 0.5
nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="used",model="tensorrt_llm",version="1"} 50
"""
WRONG = {
    "absent": ("absent_metric", "no result"),
    "several": ("nv_trt_llm_request_metrics", "several series"),
    "nan": ("avg(tgi_queue_size) / 0 * 0", "is NaN"),
    "negative": ("-avg(tgi_queue_size)", "is -6"),
    "syntax": ("avg(", "correct the query"),
    "range": ("tgi_queue_size[1m]", "'matrix'"),
}


@pytest_asyncio.fixture
async def endpoint(tmp_path: Path, spawn: Children) -> AsyncIterator[PrometheusEndpoint]:
    """A Prometheus that scrapes all documented series."""

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(text=EXPORTED)

    application = web.Application()
    application.router.add_get("/metrics", metrics)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    target = ScrapeTarget("servers", runner.addresses[0][1], {"namespace": "llm"})
    server = await asyncio.to_thread(prometheus.start, tmp_path, spawn, [target])
    yield PrometheusEndpoint(server.url)
    await runner.cleanup()


async def test_each_documented_query_is_one_number_and_a_wrong_one_says_why_not(endpoint: PrometheusEndpoint) -> None:
    documented = re.findall(r"^\| [^|]+ \| `(avg\(.+?\))` \|", PAGE.read_text(), re.MULTILINE)
    assert len(documented) == 8
    queries = {f"documented-{number}": query for number, query in enumerate(documented)}
    source = PrometheusSource(endpoint)
    totals: dict[str, float] = {}
    problems: dict[str, str] = {}
    for name, query in {**queries, **{name: query for name, (query, _) in WRONG.items()}}.items():
        signal: dict[str, object] = {"type": "prometheus", "name": name, "query": query, "target": 4}
        found = await source.read(wanted(signal, now=time.time()))
        totals |= {total.signal: total.value for total in found.totals}
        problems |= found.problems
    assert totals == {name: 0.5 if "cache" in query or "token" in query else 6.0 for name, query in queries.items()}
    assert {name: WRONG[name][1] in text for name, text in problems.items()} == dict.fromkeys(WRONG, True), problems
