"""Telephone codecs that servers take on the wire: what is told of them, and what is sent."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from fakes import clip

from stt_load.audio.clip import Clip
from stt_load.audio.framing import choose_frame
from stt_load.audio.line_codecs import LINE_CODECS
from stt_load.audio.resample import resample
from stt_load.config import parse_options
from stt_load.dialects.base import Settings
from stt_load.dialects.registry import DIALECTS
from stt_load.options import CODEC_NAMES
from stt_load.session.encoded_clip import encode_clip
from stt_load.workloads.run_clips import dialect_of, frame_rule

NATIVE = [(row.name, codec) for row in DIALECTS.values() for codec in row.dialect.codecs]


def test_several_servers_take_a_telephone_codec_and_all_of_them_are_ours() -> None:
    assert {"deepgram", "deepgram-flux", "assemblyai", "speechmatics"} <= {name for name, _ in NATIVE}
    assert {codec for _, codec in NATIVE} <= set(CODEC_NAMES)


@pytest.mark.parametrize(("name", "codec"), NATIVE)
def test_the_server_is_told_the_codec_and_its_rate(name: str, codec: str) -> None:
    dialect = DIALECTS[name].make(Settings(codec=codec))
    opening = dialect.connect(DIALECTS[name].default_url)
    query = {key: value for key, (value, *_) in parse_qs(urlsplit(opening.url).query).items()}
    told = query if "encoding" in query else json.loads(opening.first_messages[0])["audio_format"]
    assert told["encoding"] == dialect.codecs[codec]
    assert int(told["sample_rate"]) == dialect.capabilities.sample_rate_hz == LINE_CODECS[codec].rate_hz


@pytest.mark.parametrize(("name", "codec"), NATIVE)
def test_what_is_sent_is_the_clip_in_that_codec(name: str, codec: str) -> None:
    dialect = DIALECTS[name].make(Settings(codec=codec))
    spoken = clip(duration_s=1.0, speech_end_s=0.9)
    at_8_khz = Clip("c", "words", resample(spoken.samples, 16_000, 8_000), 8_000, 0.1, 0.9)
    encoded = encode_clip(at_8_khz, choose_frame(100, 8_000, 2), 0.5, dialect)
    sent = b"".join(part.message for frame in encoded.frames for part in frame if isinstance(part.message, bytes))
    assert len(sent) == 12_000, "a byte for each sample"
    heard = LINE_CODECS[codec].decode(sent)
    again = LINE_CODECS[codec].decode(LINE_CODECS[codec].encode(at_8_khz.samples))
    assert np.array_equal(heard[: len(again)], again)
    assert np.abs(heard[len(again) :].astype(int)).max() <= 8, "silence is silent in it"


def test_a_run_sends_natively_what_its_dialect_takes_and_nothing_else() -> None:
    def of(**options: str) -> tuple[str | None, int]:
        config = parse_options(options)
        return config.native_codec, dialect_of(config).capabilities.sample_rate_hz

    assert of(dialect="deepgram", codec="mulaw8k") == ("mulaw8k", 8_000)
    assert of(dialect="deepgram", codec="mulaw8k-decoded") == (None, 16_000)
    assert of(dialect="deepgram", codec="opus") == (None, 16_000)
    assert of(dialect="deepgram", codec="none,mulaw8k") == (None, 16_000), "one connection has one encoding"
    assert of(dialect="deepgram") == (None, 16_000)
    assert of(dialect="parakeet", codec="mulaw8k") == (None, 16_000)
    assert frame_rule(parse_options({"dialect": "deepgram", "codec": "alaw8k"})).samples == 800
