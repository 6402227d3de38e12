"""`/v1/audio/speech/stream` of vLLM-Omni or SGLang-Omni, with speech that is late and halting by known amounts.

    python -m servers.speech_stream --like vllm|sglang --port 0 [--first S] [--stall-at S --stall S] [--truth FILE]

The protocol follows the originals (vllm-project/vllm-omni at 0131cb5, `serving_speech_stream.py` with
`speech_text_splitter.py`; sgl-project/sglang-omni at 0e96c74, `serve/speech_ws.py`) in what a client can see:

- vLLM: no answer to the config; with `split_granularity` none all text is spoken at `input.done`; a Latin full stop
  ends a sentence with the blank behind it; the connection stays open after `session.done`.
- SGLang: `session.configured`; a full stop ends a sentence at once; at most 16 messages wait while a sentence is
  spoken, and the 17th ends the session with 1000; it closes after `session.done`.
- Both: sentences one after the other; `error` and an `audio.done` with `error` true where one fails; the session goes
  on. An unusable config is an error, and the end.

The voice says a word in `--word` seconds. The first audio of a sentence comes `--first` seconds after its text was
complete, then a chunk of 0.1 s every 0.1 s × `--rtf`, with a pause of `--stall` seconds once the sentence has
`--stall-at` seconds. `--truth` gets a line of JSON for each text: when its first words came, when it was complete, and
just before and just after each chunk was sent, monotonic seconds.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from stt_load.server.http_server import serve
from stt_load.server.listener import open_listener, run_command, url_of

PATH = "/v1/audio/speech/stream"
CHUNK_S = 0.1
_MOST_WAITING = 16
_VLLM_SENTENCE = re.compile(r".*?(?:[.!?]+(?<!\d\.(?=\d))\s+|[。！？…])", re.DOTALL)
_SGLANG_SENTENCE = re.compile(r".*?[.!?。！？]", re.DOTALL)
_GRANULARITIES = {"vllm": ("none", "sentence", "clause"), "sglang": ("sentence", "clause")}


@dataclass(frozen=True, slots=True)
class Voice:
    """How the server speaks. Seconds, as in the options of the same names."""

    first_s: float
    word_s: float
    rtf: float
    stall_at_s: float
    stall_s: float
    rate_hz: int
    fails_at: str | None  # sentences with this word in them


@dataclass(slots=True)
class Truth:
    """What the server saw and did for one text."""

    text: str = ""
    first_text_s: float | None = None
    done_s: float | None = None
    chunks: list[tuple[float, float]] = field(default_factory=list)


class Refused(Exception):
    """The config can't be used; the words are the original's kind."""


class SpeechSession:
    """One connection."""

    def __init__(self, websocket: WebSocket, like: str, voice: Voice, truth: Path | None) -> None:
        self._websocket = websocket
        self._is_vllm = like == "vllm"
        self._like = like
        self._voice = voice
        self._truth_file = truth
        self._truth = Truth()
        self._granularity = ""
        self._buffer = ""
        self._n_sentences = 0
        self._utterance = 0
        self._waiting: deque[str] = deque()

    async def run(self) -> None:
        await self._websocket.accept()
        try:
            await self._configure(json.loads(await self._websocket.receive_text()))
            while await self._take(json.loads(await self._next_message())):
                pass
        except Refused as error:
            more = {} if self._is_vllm else {"error_type": "BadRequestError", "code": 400}
            await self._send({"type": "error", "message": str(error), **more})
        except WebSocketDisconnect:
            return
        if not self._is_vllm:
            await self._websocket.close()

    async def _configure(self, message: dict[str, Any]) -> None:
        if message.get("type") != "session.config":
            raise Refused(f"Expected session.config, got: {message.get('type')}")
        granularities = _GRANULARITIES[self._like]
        self._granularity = message.get("split_granularity", granularities[0])
        if self._granularity not in granularities:
            raise Refused(f"Invalid session config: split_granularity must be one of {', '.join(granularities)}")
        if message.get("voice") == "nobody":
            raise Refused("Invalid session config: unknown voice 'nobody'")
        if not (message.get("stream_audio") and message.get("response_format") == "pcm"):
            raise Refused("this stand-in only streams pcm")
        if not self._is_vllm:
            await self._send({"type": "session.configured", "split_granularity": self._granularity})

    async def _next_message(self) -> str:
        return self._waiting.popleft() if self._waiting else await self._websocket.receive_text()

    async def _take(self, message: dict[str, Any]) -> bool:
        """Whether the session goes on."""
        match message.get("type"):
            case "input.text":
                self._truth.first_text_s = self._truth.first_text_s or time.monotonic()
                self._truth.text += message["text"]
                self._buffer += message["text"]
                for sentence in self._complete_sentences():
                    await self._speak(sentence)
                return True
            case "input.done":
                self._truth.done_s = time.monotonic()
                rest, self._buffer = self._buffer.strip(), ""
                if rest:
                    await self._speak(rest)
                await self._send({"type": "session.done", "total_sentences": self._n_sentences, **self._index})
                self._write_truth()
                self._n_sentences, self._utterance = 0, self._utterance + 1
                return self._is_vllm
            case "session.close" if self._is_vllm:
                await self._websocket.close()
                return False
            case other:
                await self._send({"type": "error", "message": f"Unknown message type: {other}"})
                return True

    def _complete_sentences(self) -> list[str]:
        if self._granularity == "none":
            return []
        sentences = []
        pattern = _VLLM_SENTENCE if self._is_vllm else _SGLANG_SENTENCE
        while (match := pattern.match(self._buffer)) is not None:
            sentences.append(match[0].strip())
            self._buffer = self._buffer[match.end() :]
        return sentences

    @property
    def _index(self) -> dict[str, int]:
        return {"utterance_index": self._utterance} if self._is_vllm else {}

    async def _speak(self, sentence: str) -> None:
        """Speaks a sentence; SGLang listens meanwhile, and keeps what it hears."""
        speaking = asyncio.ensure_future(self._send_speech(sentence))
        if self._is_vllm:
            await speaking
            return
        listening = asyncio.ensure_future(self._listen())
        done, _ = await asyncio.wait({speaking, listening}, return_when=asyncio.FIRST_COMPLETED)
        for task in (speaking, listening):
            task.cancel()
        await asyncio.gather(speaking, listening, return_exceptions=True)
        if speaking in done:
            speaking.result()
            return
        await self._websocket.close()
        raise WebSocketDisconnect

    async def _listen(self) -> None:
        while len(self._waiting) < _MOST_WAITING:
            self._waiting.append(await self._websocket.receive_text())
        await self._websocket.receive_text()

    async def _send_speech(self, sentence: str) -> None:
        voice, index = self._voice, {**self._index, "sentence_index": self._n_sentences}
        self._n_sentences += 1
        n_bytes, is_failing = 0, bool(voice.fails_at) and str(voice.fails_at) in sentence
        await asyncio.sleep(voice.first_s)
        start = {"type": "audio.start", **index, "sentence_text": sentence, "format": "pcm"}
        if not is_failing:
            await self._send({**start, "sample_rate": voice.rate_hz})
            n_bytes = await self._send_chunks(round(voice.word_s * len(sentence.split()) / CHUNK_S))
        else:
            await self._send({"type": "error", "message": f"Generation failed for utterance 0, sentence 0: {sentence}"})
        await self._send({"type": "audio.done", **index, "total_bytes": n_bytes, "error": is_failing})

    async def _send_chunks(self, n_chunks: int) -> int:
        voice = self._voice
        chunk = b"\x01\x00" * round(CHUNK_S * voice.rate_hz)
        due_s = time.monotonic()
        for number in range(n_chunks):
            if number:
                due_s += CHUNK_S * voice.rtf
            if voice.stall_s and number == round(voice.stall_at_s / CHUNK_S):
                due_s += voice.stall_s
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            before_s = time.monotonic()
            await self._websocket.send_bytes(chunk)
            self._truth.chunks.append((before_s, time.monotonic()))
        return n_chunks * len(chunk)

    async def _send(self, message: dict[str, Any]) -> None:
        await self._websocket.send_text(json.dumps(message))

    def _write_truth(self) -> None:
        truth, self._truth = self._truth, Truth()
        if self._truth_file is not None:
            line = {"text": truth.text, "first_text_s": truth.first_text_s, "done_s": truth.done_s}
            with self._truth_file.open("a") as file:
                file.write(json.dumps({**line, "chunks": truth.chunks}) + "\n")


@click.command()
@click.option("--like", type=click.Choice(["vllm", "sglang"]), required=True)
@click.option("--host", default="127.0.0.1")
@click.option("--port", default=0, help="0 takes a free one; the first line printed names it.")
@click.option("--first", "first_s", default=0.2, help="Seconds from a sentence to its first audio.")
@click.option("--word", "word_s", default=0.3, help="Seconds of speech that a word takes.")
@click.option("--rtf", default=0.5, help="Seconds that a second of speech takes, after the first chunk.")
@click.option("--stall-at", "stall_at_s", default=0.0, help="Seconds of a sentence's speech before the pause.")
@click.option("--stall", "stall_s", default=0.0, help="How long the pause is.")
@click.option("--rate", "rate_hz", default=24_000)
@click.option("--fails-at", help="Sentences with this word in them can't be spoken.")
@click.option("--truth", type=click.Path(path_type=Path))
@click.option("--exit-with-parent", is_flag=True, help="Also end when standard input ends.")
def command(like: str, host: str, port: int, truth: Path | None, exit_with_parent: bool, **voice: Any) -> None:
    async def answer(websocket: WebSocket) -> None:
        await SpeechSession(websocket, like, Voice(**voice), truth).run()

    listener = open_listener(host, port)
    app = Starlette(routes=[WebSocketRoute(PATH, answer)])
    asyncio.run(serve(app, listener, url_of(listener, "ws", PATH), exit_with_parent))


if __name__ == "__main__":
    run_command(command)
