"""What the GPU is doing, second by second, tagged with the stage of the load test: a small HTTP service.

It runs on the GPU host, needs nothing but Python 3.8 and `nvidia-smi`, and shares JSON with stt-load but no
import. Reading order: columns -> dmon -> summary -> devices -> timeline -> answers, then the shells
nvidia_smi -> source -> serve -> cli.
"""

from __future__ import annotations

__version__ = "0.1.0"
