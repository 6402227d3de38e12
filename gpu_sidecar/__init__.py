"""What GPUs, host and server are doing, second by second, tagged with the stage of the load test: an HTTP service.

It runs on the GPU host, needs nothing but Python 3.8 and, for GPUs, `nvidia-smi`, and shares JSON with stt-load but
no import. Reading order: metrics -> sample -> sources/base -> packed -> timeline -> summary -> answers, prometheus,
recording; devices, processes, usage; then the shells: sources/, watch, recorder, seats, serve -> station -> cli.
"""

from __future__ import annotations

__version__ = "0.1.0"
