"""The metrics of other programs that panels and alerts query. A metric in no table of names is an error of the lint."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Exporter:
    """A program and the metrics that panels use of it.

    Attributes:
        source: the page that documents the metrics.
        metrics: names as in queries, without `_bucket`.
    """

    name: str
    source: str
    metrics: tuple[str, ...]


EXPORTERS = (
    Exporter(
        "cAdvisor (in the kubelet)",
        "https://github.com/google/cadvisor/blob/master/docs/storage/prometheus.md",
        (
            "container_cpu_cfs_periods_total",
            "container_cpu_cfs_throttled_periods_total",
            "container_cpu_usage_seconds_total",
            "container_memory_working_set_bytes",
            "container_oom_events_total",
        ),
    ),
    Exporter(
        "dcgm-exporter",
        "https://docs.nvidia.com/datacenter/dcgm/latest/gpu-telemetry/dcgm-exporter.html",
        (
            "DCGM_FI_DEV_FB_FREE",
            "DCGM_FI_DEV_FB_USED",
            "DCGM_FI_DEV_GPU_UTIL",
            "DCGM_FI_DEV_POWER_USAGE",
            "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
            "DCGM_FI_DEV_XID_ERRORS",
            "DCGM_FI_PROF_GR_ENGINE_ACTIVE",
        ),
    ),
    Exporter(
        "kube-state-metrics",
        "https://github.com/kubernetes/kube-state-metrics/tree/main/docs/metrics",
        (
            "kube_horizontalpodautoscaler_spec_max_replicas",
            "kube_horizontalpodautoscaler_status_current_replicas",
            "kube_horizontalpodautoscaler_status_desired_replicas",
            "kube_pod_container_resource_limits",
            "kube_pod_container_resource_requests",
            "kube_pod_container_status_last_terminated_reason",
            "kube_pod_container_status_restarts_total",
            "kube_pod_created",
            "kube_pod_init_container_info",
            "kube_pod_status_phase",
            "kube_pod_status_ready_time",
            "kube_pod_status_unschedulable",
        ),
    ),
    Exporter(
        "Triton Inference Server",
        "https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/user_guide/metrics.html",
        (
            "nv_inference_compute_infer_duration_us",
            "nv_inference_count",
            "nv_inference_exec_count",
            "nv_inference_pending_request_count",
            "nv_inference_queue_duration_us",
            "nv_inference_request_success",
        ),
    ),
    Exporter(
        "vLLM",
        "https://docs.vllm.ai/en/stable/usage/metrics/",
        (
            "vllm:generation_tokens_total",
            "vllm:inter_token_latency_seconds",
            "vllm:kv_cache_usage_perc",
            "vllm:num_requests_running",
            "vllm:num_requests_waiting",
            "vllm:prompt_tokens_total",
            "vllm:request_generation_tokens",
            "vllm:request_prompt_tokens",
            "vllm:request_success_total",
            "vllm:time_to_first_token_seconds",
        ),
    ),
)
