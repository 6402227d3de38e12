"""An HTTP service that samples GPUs, host and server every second and tags each sample with the load test's stage.

It runs on the GPU host, needs only Python 3.8 and, for GPUs, `nvidia-smi`. It shares JSON with stt-load, but no import.
Reading order: metrics -> sample -> failures -> sources/base -> packed -> timeline -> summary -> api, prometheus,
recording_format, browser_requests; known_servers, gpu_choice, server_choice, processes, cpu_usage; then what does input
and output: lasting_thread, child_process, tool_path, sources/, discovery, recorder, slots, http_server -> service,
standard_streams -> cli.

This file and `__main__.py` are read by whatever Python there is: one before 3.8 gets one line, and no traceback.
"""

__version__ = "0.1.0"
