"""One decoding process: PCM segments in on standard input, texts out on standard output.

    request   uint32 LE byte count, then so many bytes of int16 LE mono 16 kHz
    answer    one JSON line {"text", "decode_ms"}

Run as `python -m stt_load.server.decoder NGRAMS PRONUNCIATIONS NICE`. PocketSphinx holds the interpreter lock while
it decodes, hence processes. The end of standard input, also by the death of the parent, ends the process.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
import time
from pathlib import Path
from typing import Any

from stt_load.process.ending_signals import ENDING
from stt_load.server.language import LanguageModel

HEADER = struct.Struct("<I")

# Speed for accuracy. CPU seconds per second of audio on one core of a 2.5 GHz Xeon, and WER of the shipped clips:
#   the library's defaults           0.107    3.2 %
#   without the second pass          0.069    4.3 %
#   and two Gaussians, not four      0.049    9.3 %     two such decoders hold 20 to 30 callers
#   and narrower beams               0.040   13.9 %
SETTINGS: dict[str, object] = {"fwdflat": False, "topn": 2, "loglevel": "FATAL"}

# Means of the cepstrum of the default clips' voice. The decoder would learn them from the audio; but then the first
# seconds come out wrong, and a text depends on whatever the process decoded before.
VOICE_MEANS = "54.78,3.38,-4.17,21.80,-8.33,0.17,-4.97,-18.69,1.28,-10.50,9.14,-5.66,-2.84"


class Decoder:
    """PocketSphinx, set up so that a text depends on its segment alone. It loads its model at the first segment."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self._engine: Any = None

    def decode(self, pcm: bytes) -> str:
        engine = self._loaded()
        engine.reinit_feat()
        engine.set_cmn(VOICE_MEANS)
        engine.start_utt()
        engine.process_raw(pcm)
        engine.end_utt()
        hypothesis = engine.hyp()
        return hypothesis.hypstr if hypothesis is not None else ""

    def _loaded(self) -> Any:
        if self._engine is None:
            import pocketsphinx

            self._engine = pocketsphinx.Decoder(
                lm=str(self._model.ngrams), dict=str(self._model.pronunciations), **SETTINGS
            )
        return self._engine


def main(arguments: list[str]) -> None:
    ngrams, pronunciations, nice = arguments
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)  # systemd sends it to every process; the parent decides
    os.nice(int(nice))
    decoder = Decoder(LanguageModel(Path(ngrams), Path(pronunciations)))
    source, sink = sys.stdin.buffer, sys.stdout
    while header := source.read(HEADER.size):
        pcm = source.read(HEADER.unpack(header)[0])
        started_s = time.monotonic()
        text = decoder.decode(pcm)
        answer = {"text": text, "decode_ms": round((time.monotonic() - started_s) * 1000, 3)}
        try:
            print(json.dumps(answer), file=sink, flush=True)
        except BrokenPipeError:
            os._exit(0)  # nobody is left to tell; a normal exit would try to flush once more and complain


if __name__ == "__main__":
    main(sys.argv[1:])
