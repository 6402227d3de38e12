"""A Riva server by grpcio, which recognises nothing: it says what the caller's own header tells it to.

    python -m servers.riva_server --port 0 [--certificate FILE] [--api-key KEY] [--max-callers N] [--window BYTES]
        [--truth FILE]

A caller may send the header `script`, a `RivaScript` as JSON. `--truth` names a file that gets a `HeardCall` as JSON
for each call, when it ends. With `--certificate`, which holds the key too, the server speaks TLS.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import click
import grpc
import msgspec
import numpy as np

from servers.riva_messages import SERVICE, Request, Response
from stt_load.server.listener import announce, run_command
from stt_load.server.stop_event import stop_event

_MOST_CALLERS = 200
_LOUD = 1_000
_STOP_HISTORY_MS = 800


class RivaScript(msgspec.Struct):
    """What the server does with one call.

    `text`: what was heard. `every`: an interim result for so many messages of audio, each with one word more; 0 for
    none. `is_final`: whether a result ever says that it is one. `delay_s`: from the half-close, or the silence that
    ends an utterance, to the final result; `status_delay_s`: from there to the end of the call. `status`, `details`:
    with which it ends, after `ends_after` messages of audio, or in its time where that is None. `reads_after_s`: when
    it begins to read, seconds after the config.
    """

    text: str = "seven words that no clip has said"
    every: int = 2
    is_final: bool = True
    delay_s: float = 0.05
    status_delay_s: float = 0.0
    status: str = "OK"
    details: str = ""
    ends_after: int | None = None
    reads_after_s: float = 0.0


class HeardCall(msgspec.Struct):
    """What the server heard of one call, and when it sent the last final result (monotonic seconds; None for none)."""

    audio: bytes
    sent_at_s: float | None


class RivaServer:
    """All calls. `n_callers`: how many there are at the moment."""

    def __init__(self, api_key: str | None, max_callers: int, truth: Path | None) -> None:
        self.n_callers = 0
        self._truth = truth
        self._lock = threading.Lock()
        self._api_key = api_key
        self._max_callers = max_callers

    def streaming_recognize(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        metadata = dict(context.invocation_metadata())
        if self._api_key is not None and metadata.get("authorization") != f"Bearer {self._api_key}":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "no such key")
        with self._lock:
            self.n_callers += 1
            is_full = self.n_callers > self._max_callers
        try:
            if is_full:
                context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "no free stream: größer als max_streams")
            script = msgspec.json.decode(metadata.get("script", "{}"), type=RivaScript)
            call = _Call(script, requests, context)
            yield from call.answers()
            self._log(call)
        finally:
            with self._lock:
                self.n_callers -= 1

    def _log(self, call: _Call) -> None:
        if self._truth is not None:
            line = msgspec.json.encode(HeardCall(bytes(call.audio), call.sent_at_s))
            with self._lock, self._truth.open("ab") as file:
                file.write(line + b"\n")


class _Call:
    def __init__(self, script: RivaScript, requests: Iterator[Any], context: Any) -> None:
        self._script = script
        self._requests = requests
        self._context = context
        self.audio = bytearray()
        self.sent_at_s: float | None = None
        self._n_messages = 0
        self._heard_s = 0.0
        self._is_speech = False  # since the last final result
        self._silence_s = 0.0

    def answers(self) -> Iterator[Any]:
        first = next(self._requests)
        if not first.HasField("streaming_config"):
            self._context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the first message has no streaming_config")
        config = first.streaming_config.config
        endpointing = config.endpointing_config
        stop_s = (endpointing.stop_history if endpointing.HasField("stop_history") else _STOP_HISTORY_MS) / 1000
        time.sleep(self._script.reads_after_s)
        for request in self._requests:
            if not request.HasField("audio_content"):
                self._context.abort(grpc.StatusCode.INVALID_ARGUMENT, "a message without audio_content")
            self._n_messages += 1
            self._listen(request.audio_content, config.sample_rate_hertz)
            if self._n_messages == self._script.ends_after:
                self._end()
                return
            every = self._script.every
            if every and self._n_messages % every == 0 and first.streaming_config.interim_results:
                words = self._script.text.split()[: self._n_messages // every]
                yield self._response(f"{' '.join(words)} ", False)
            if self._is_speech and self._silence_s >= stop_s:
                yield from self._final()
        if self._is_speech:
            yield from self._final()
        time.sleep(self._script.status_delay_s)
        self._end()

    def _listen(self, pcm: bytes, rate_hz: int) -> None:
        self.audio += pcm
        samples = np.frombuffer(pcm, "<i2")
        seconds = len(samples) / rate_hz
        self._heard_s += seconds
        if len(samples) and np.abs(samples).max() >= _LOUD:
            self._is_speech, self._silence_s = True, 0.0
        else:
            self._silence_s += seconds

    def _final(self) -> Iterator[Any]:
        self._is_speech = False
        time.sleep(self._script.delay_s)
        self.sent_at_s = time.monotonic()
        yield self._response(f"{self._script.text} ", self._script.is_final)

    def _response(self, text: str, is_final: bool) -> Any:
        response = Response()
        result = response.results.add(is_final=is_final, audio_processed=self._heard_s, channel_tag=1)
        result.alternatives.add(transcript=text, confidence=0.9 if is_final else 0.0)
        result.alternatives.add(transcript="a worse guess")
        return response

    def _end(self) -> None:
        if self._script.status != "OK":
            self._context.abort(grpc.StatusCode[self._script.status], self._script.details)


@click.command()
@click.option("--host", default="127.0.0.1")
@click.option("--port", default=0, help="0 takes a free one; the first line printed names it.")
@click.option("--certificate", type=click.Path(path_type=Path), help="PEM of certificate and key: TLS.")
@click.option("--api-key", help="What callers must show.")
@click.option("--max-callers", default=_MOST_CALLERS)
@click.option("--window", default=0, help="Bytes that it takes before they are read; 0 for what grpcio does.")
@click.option("--truth", type=click.Path(path_type=Path), help="What was heard of each call, a line each.")
@click.option("--exit-with-parent", is_flag=True, help="Also end when standard input ends.")
def command(
    host: str,
    port: int,
    certificate: Path | None,
    api_key: str | None,
    max_callers: int,
    window: int,
    truth: Path | None,
    exit_with_parent: bool,
) -> None:
    riva = RivaServer(api_key, max_callers, truth)
    method = grpc.stream_stream_rpc_method_handler(
        riva.streaming_recognize, Request.FromString, lambda response: response.SerializeToString()
    )
    options = [("grpc.http2.lookahead_bytes", window), ("grpc.http2.bdp_probe", 0)] if window else []
    server = grpc.server(futures.ThreadPoolExecutor(_MOST_CALLERS), options=options)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"StreamingRecognize": method}),))
    if certificate is None:
        scheme, port = "grpc", server.add_insecure_port(f"{host}:{port}")
    else:
        pem = certificate.read_bytes()
        scheme, port = "grpcs", server.add_secure_port(f"{host}:{port}", grpc.ssl_server_credentials([(pem, pem)]))

    async def main() -> None:
        stop = stop_event(exit_with_parent)
        server.start()
        announce(f"{scheme}://localhost:{port}/{SERVICE}/StreamingRecognize")
        await stop.wait()
        server.stop(0)

    asyncio.run(main())


if __name__ == "__main__":
    run_command(command)
