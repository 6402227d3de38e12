"""A collector for OpenTelemetry: an HTTP server in a thread that decodes OTLP's own messages."""

from __future__ import annotations

import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest


class Collector:
    """Takes pushes, and keeps them with their headers."""

    def __init__(self, status: int = 200, answer_bytes: int = 0) -> None:
        self.pushes: list[tuple[Any, ExportMetricsServiceRequest]] = []
        self.written: list[int] = []  # bytes of answers that were read, or had room on their way
        pushes, written = self.pushes, self.written

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                pushes.append((self.headers, ExportMetricsServiceRequest.FromString(body)))
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", str(answer_bytes))
                self.end_headers()
                with suppress(OSError):
                    for _ in range(answer_bytes >> 20):
                        self.wfile.write(bytes(1 << 20))
                        written.append(1 << 20)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1/metrics"

    def __enter__(self) -> Collector:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def metrics(self) -> dict[str, Any]:
        """The metrics of the last push, by name."""
        (resource,) = self.pushes[-1][1].resource_metrics
        return {metric.name: metric for metric in resource.scope_metrics[0].metrics}
