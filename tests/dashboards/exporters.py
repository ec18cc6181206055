"""Stand-ins for the exporters of others: metrics with the names and labels that their documentation gives, as text.

Each is a function from the seconds since the start to the lines of one scrape, so that counters grow at a known rate.
The test of panels checks the numbers that Prometheus computes from them.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pilotfish.sidecar.telemetry import gpu_names

Pods = Sequence[str]
TOKENS_PER_SECOND, REQUESTS_PER_SECOND = 240.0, 4.0
QUEUE_MICROSECONDS, COMPUTE_MICROSECONDS, BATCH = 1500.0, 9000.0, 3.0
CORES, CORES_LIMIT, MEMORY, MEMORY_LIMIT = 0.4, 2.0, 600e6, 1e9
GPU_PERCENT, REPLICAS, MAX_REPLICAS = 70.0, 3, 4
THROTTLED = 0.1
GPU_BUSY, GPU_WATTS = 0.6, 300.0
USE = 0.25  # of everything that a sidecar measures, each second


@contextmanager
def exposing(render: Callable[[], str | tuple[bytes, str]]) -> Iterator[int]:
    """Serve the text that `render` returns at every path until the block ends; yield the port."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Log nothing."""

        def do_GET(self) -> None:
            found = render()
            body, kind = found if isinstance(found, tuple) else (found.encode(), "text/plain; version=0.0.4")
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Ignore clients that have left: a scrape has a time limit."""

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def line(name: str, value: float, /, **labels: str) -> str:
    """Return one sample."""
    shown = ",".join(f'{key}="{text}"' for key, text in labels.items())
    return f"{name}{{{shown}}} {value}"


def histogram(name: str, bounds: Sequence[float], median: float, count: float, **labels: str) -> Iterator[str]:
    """Yield the samples of a histogram of `count` values whose logarithms are spread around that of `median`."""
    for bound in bounds:
        share = 1 / (1 + math.exp(-2 * math.log(bound / median)))
        yield line(f"{name}_bucket", count * share, **labels, le=str(bound))
    yield line(f"{name}_bucket", count, **labels, le="+Inf")
    yield line(f"{name}_count", count, **labels)
    yield line(f"{name}_sum", count * median, **labels)


def kubernetes(namespace: str, pods: Pods, seconds: float, now: float) -> str:
    """Return the metrics of cAdvisor, kube-state-metrics and dcgm-exporter about the pods."""
    lines: list[str] = []
    for place, pod in enumerate(pods):
        wave = 1 + 0.1 * math.sin(seconds / 20 + place)
        who = {"namespace": namespace, "pod": pod}
        inside = {**who, "container": "model"}
        lines += [
            line("container_cpu_usage_seconds_total", CORES * seconds, **inside, cpu="total"),
            line("container_cpu_usage_seconds_total", CORES * seconds, **who, cpu="total"),  # the whole pod
            line("container_memory_working_set_bytes", MEMORY * wave, **inside),
            line("container_cpu_cfs_periods_total", 10 * seconds, **inside),
            line("container_cpu_cfs_throttled_periods_total", 10 * THROTTLED * seconds, **inside),
            line("kube_pod_container_status_restarts_total", 1, **inside),
            line("kube_pod_created", now - seconds - 30, **who),
            line("kube_pod_status_ready_time", now - seconds - 30 + 12 + place, **who),
            line("DCGM_FI_DEV_GPU_UTIL", GPU_PERCENT * wave, **inside, gpu="0", UUID=f"GPU-{place}"),
            line("DCGM_FI_DEV_FB_USED", 30_000 * wave, **inside, gpu="0", UUID=f"GPU-{place}"),
            line("DCGM_FI_DEV_FB_FREE", 50_000 - 3000 * wave, **inside, gpu="0", UUID=f"GPU-{place}"),
            line("DCGM_FI_DEV_XID_ERRORS", 0, **inside, gpu="0", UUID=f"GPU-{place}"),
            line("DCGM_FI_PROF_GR_ENGINE_ACTIVE", GPU_BUSY, **inside, gpu="0", UUID=f"GPU-{place}"),
            line("DCGM_FI_DEV_POWER_USAGE", GPU_WATTS * wave, **inside, gpu="0", UUID=f"GPU-{place}"),
            line(
                "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
                1000 * GPU_WATTS * seconds,
                **inside,
                gpu="0",
                UUID=f"GPU-{place}",
            ),
            line("container_oom_events_total", 0, **inside),
        ]
        for kind, cpu, memory in (("requests", 1.0, 512e6), ("limits", CORES_LIMIT, MEMORY_LIMIT)):
            name = f"kube_pod_container_resource_{kind}"
            lines += [
                line(name, cpu, **inside, resource="cpu", unit="core"),
                line(name, memory, **inside, resource="memory", unit="byte"),
            ]
    hpa = {"namespace": namespace, "horizontalpodautoscaler": "delays"}
    lines += [
        line("kube_horizontalpodautoscaler_spec_max_replicas", MAX_REPLICAS, **hpa),
        line("kube_horizontalpodautoscaler_status_current_replicas", REPLICAS, **hpa),
        line("kube_horizontalpodautoscaler_status_desired_replicas", REPLICAS, **hpa),
    ]
    return text_of(lines)


def gpus(seconds: float) -> str:
    """Return the metrics of a sidecar that samples one GPU: counters grow by USE each second."""
    values = {
        "uuid": "GPU-0", "parent": "", "name": "made", "driver": "1", "source": "counter", "kind": "corrected",
        "xid": "79", "reading": "sm", "reason": "not_supported",
    }  # fmt: skip
    return text_of(
        line(
            metric.name,
            USE * seconds if metric.kind == "counter" else USE,
            **{label: values[label] for label in metric.labels},
        )
        for metric in gpu_names.METRICS
    )


def vllm(seconds: float) -> str:
    """Return the metrics of one server of vLLM."""
    who = {"model_name": "chat", "engine": "0"}
    count = REQUESTS_PER_SECOND * seconds
    return text_of(
        [
            line("vllm:prompt_tokens_total", 3 * TOKENS_PER_SECOND * seconds, **who),
            line("vllm:generation_tokens_total", TOKENS_PER_SECOND * seconds, **who),
            line("vllm:num_requests_running", 6 + 2 * math.sin(seconds / 10), **who),
            line("vllm:num_requests_waiting", max(0.0, 2 * math.sin(seconds / 15)), **who),
            line("vllm:kv_cache_usage_perc", 0.5 + 0.3 * math.sin(seconds / 30), **who),
            line("vllm:request_success_total", count * 0.9, **who, finished_reason="stop"),
            line("vllm:request_success_total", count * 0.1, **who, finished_reason="length"),
            *histogram("vllm:time_to_first_token_seconds", (0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5), 0.1, count, **who),
            *histogram("vllm:inter_token_latency_seconds", (0.005, 0.01, 0.025, 0.05, 0.1), 0.015, 60 * count, **who),
            *histogram("vllm:request_prompt_tokens", (50, 100, 200, 500, 1000), 180, count, **who),
            *histogram("vllm:request_generation_tokens", (10, 20, 50, 100, 200, 500), 60, count, **who),
        ]
    )


def triton(seconds: float) -> str:
    """Return the metrics of one Triton server; model and version are its own labels of these names."""
    who = {"model": "resnet", "version": "1"}
    requests = REQUESTS_PER_SECOND * seconds
    return text_of(
        [
            line("nv_inference_request_success", requests, **who),
            line("nv_inference_count", requests, **who),
            line("nv_inference_exec_count", requests / BATCH, **who),
            line("nv_inference_queue_duration_us", QUEUE_MICROSECONDS * requests, **who),
            line("nv_inference_compute_infer_duration_us", COMPUTE_MICROSECONDS * requests, **who),
            line("nv_inference_pending_request_count", 2 + math.sin(seconds / 8), **who),
        ]
    )


def text_of(lines: Iterable[str]) -> str:
    """Return the body of a scrape."""
    return "\n".join(lines) + "\n"
