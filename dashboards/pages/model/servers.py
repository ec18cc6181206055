"""Streams as Pilotfish sees them, and what vLLM and Triton export themselves."""

from __future__ import annotations

from ...model import FULL, Panel, Section, Target
from ...queries import of_model, quantile, rate, ratio, series, total
from .traffic import quantiles

NO_STREAMS = "no response was a stream of events"
NO_VLLM = "no metrics of vLLM in these pods"
NO_TRITON = "no metrics of Triton in these pods"

STREAMS = Section(
    "Streamed responses",
    (
        Panel(
            "lines",
            "Time to first event",
            "Quantiles of the time from the first byte of a request to the first event, such as a token.",
            quantiles("pilotfish_time_to_first_event_seconds"),
            unit="s",
            empty=NO_STREAMS,
            width=12,
        ),
        Panel(
            "lines",
            "Gap between events",
            "Quantiles of the time between two events of one stream, such as two tokens.",
            quantiles("pilotfish_event_gap_seconds"),
            unit="s",
            empty=NO_STREAMS,
            width=12,
        ),
    ),
    collapsed=True,
)
VLLM = Section(
    "vLLM",
    (
        Panel(
            "lines",
            "Time to first token",
            "Quantiles of the time until the first token, as measured by vLLM.",
            quantiles("vllm:time_to_first_token_seconds"),
            unit="s",
            empty=NO_VLLM,
        ),
        Panel(
            "lines",
            "Inter-token latency",
            "Quantiles of the time between two tokens, as measured by vLLM.",
            quantiles("vllm:inter_token_latency_seconds"),
            unit="s",
            empty=NO_VLLM,
        ),
        Panel(
            "lines",
            "Tokens",
            "Tokens per second: read from prompts, and generated.",
            (
                Target(total(of_model(rate("vllm:prompt_tokens_total"))), "prompt"),
                Target(total(of_model(rate("vllm:generation_tokens_total"))), "generated"),
            ),
            unit="ops",
            empty=NO_VLLM,
        ),
        Panel(
            "lines",
            "Running and waiting",
            "Requests that vLLM computes, and requests that wait for a place in a batch.",
            (
                Target(total(of_model(series("vllm:num_requests_running"))), "running"),
                Target(total(of_model(series("vllm:num_requests_waiting"))), "waiting"),
            ),
            empty=NO_VLLM,
        ),
        Panel(
            "lines",
            "Key-value cache",
            "Share of the blocks of the key-value cache in use, by pod; at 1, requests are preempted.",
            (Target(f"max by (namespace, pod) ({of_model(series('vllm:kv_cache_usage_perc'))})", "{{pod}}"),),
            unit="percentunit",
            empty=NO_VLLM,
            high=1,
            steps=FULL,
        ),
        Panel(
            "lines",
            "Lengths",
            "Median number of tokens of prompts and of responses.",
            (
                Target(quantile(0.5, "vllm:request_prompt_tokens"), "prompt"),
                Target(quantile(0.5, "vllm:request_generation_tokens"), "response"),
            ),
            empty=NO_VLLM,
        ),
        Panel(
            "lines",
            "Finish reasons",
            "Finished requests per second by reason: stop, length (the limit of tokens), abort.",
            (Target(total(of_model(rate("vllm:request_success_total")), "finished_reason"), "{{finished_reason}}"),),
            unit="reqps",
            empty=NO_VLLM,
            share=True,
        ),
    ),
    collapsed=True,
)
TRITON = Section(
    "Triton",
    (
        Panel(
            "lines",
            "Time in queue",
            "Mean time that a request waits in the queue of Triton's scheduler, by pod.",
            (
                Target(
                    ratio(
                        total(of_model(rate("nv_inference_queue_duration_us")), "pod"),
                        total(of_model(rate("nv_inference_request_success")), "pod"),
                    ),
                    "{{pod}}",
                ),
            ),
            unit="µs",
            empty=NO_TRITON,
        ),
        Panel(
            "lines",
            "Time of computation",
            "Mean time that the model computes for a request, by pod.",
            (
                Target(
                    ratio(
                        total(of_model(rate("nv_inference_compute_infer_duration_us")), "pod"),
                        total(of_model(rate("nv_inference_request_success")), "pod"),
                    ),
                    "{{pod}}",
                ),
            ),
            unit="µs",
            empty=NO_TRITON,
        ),
        Panel(
            "lines",
            "Batch size",
            "Mean number of inferences that are executed together, by pod.",
            (
                Target(
                    ratio(
                        total(of_model(rate("nv_inference_count")), "pod"),
                        total(of_model(rate("nv_inference_exec_count")), "pod"),
                    ),
                    "{{pod}}",
                ),
            ),
            unit="none",
            empty=NO_TRITON,
        ),
        Panel(
            "lines",
            "Pending requests",
            "Requests that wait for execution, by pod.",
            (Target(total(of_model(series("nv_inference_pending_request_count")), "pod"), "{{pod}}"),),
            empty=NO_TRITON,
            steps=((None, "green"), (10, "yellow")),
        ),
    ),
    collapsed=True,
)
