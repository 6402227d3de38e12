"""The metrics of known servers that are kept where nobody has named any: those that a reader of a load test looks for.

Names are those of the pages below, read on 2026-11-29. A server's own figures of a machine (GPU, memory, files) are
among them where it has any.

vLLM            https://docs.vllm.ai/en/stable/usage/metrics/
SGLang          https://docs.sglang.io/references/production_metrics.html
Triton, Riva    https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/user_guide/metrics.html
Riva ASR NIM    https://docs.nvidia.com/nim/riva/asr/latest/observability.html
Deepgram        https://developers.deepgram.com/docs/metrics-guide
Kyutai          https://github.com/kyutai-labs/moshi, rust/moshi-server/src/metrics.rs
any process     https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics

speaches has no such endpoint: it pushes OpenTelemetry.
"""

from __future__ import annotations

from stt_load.server_metrics.choice import ServerMetric, parse_server_metric

_KNOWN = {
    "vLLM": (
        "vllm:num_requests_running",
        "vllm:num_requests_waiting",
        "vllm:kv_cache_usage_perc:max",
        "vllm:gpu_cache_usage_perc:max",  # its name before version 0.10
        "vllm:generation_tokens_total:rate",
        "vllm:request_queue_time_seconds:mean",
        "vllm:time_to_first_token_seconds:mean",
        "vllm:e2e_request_latency_seconds:mean",
        "vllm:num_preemptions_total:rate",
    ),
    "SGLang": (
        "sglang:num_running_reqs",
        "sglang:num_queue_reqs",
        "sglang:token_usage:max",
        "sglang:gen_throughput",
        "sglang:time_to_first_token_seconds:mean",
        "sglang:e2e_request_latency_seconds:mean",
    ),
    "Triton": (
        "nv_inference_request_success:rate",
        "nv_inference_request_failure:rate",
        "nv_inference_exec_count:rate",
        "nv_inference_queue_duration_us:rate",
        "nv_inference_pending_request_count",
        "nv_gpu_utilization:max",
        "nv_gpu_memory_used_bytes:max",
    ),
    "Riva ASR NIM": (
        "gpu_utilization:max",
        "gpu_memory_used_bytes:max",
        "gpu_power_usage_watts",
    ),
    "Deepgram": (
        "engine_active_requests",
        "engine_estimated_stream_capacity",
        "engine_requests_total:rate",
    ),
    "Kyutai": (
        "asr_open_channels",
        "asr_connect:rate",
        "asr_model_step_duration:mean",
    ),
    "any process": (
        "process_cpu_seconds_total:rate",
        "process_resident_memory_bytes",
        "process_open_fds",
    ),
}

KNOWN_METRICS: dict[str, tuple[ServerMetric, ...]] = {
    server: tuple(map(parse_server_metric, texts)) for server, texts in _KNOWN.items()
}
"""The metrics that are kept of each known server. Another server is another row."""


def every_known() -> tuple[ServerMetric, ...]:
    """All of them: a server's answer shows which ones it has."""
    return tuple(metric for metrics in KNOWN_METRICS.values() for metric in metrics)
