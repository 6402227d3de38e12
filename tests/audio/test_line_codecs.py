"""What codecs do to speech: held against other implementations of G.711, and measured for a shift in time."""

from __future__ import annotations

import numpy as np
import pytest
from recordings import RATE_HZ, SENTENCES, placed, sentence

from stt_load.audio.clip import Clip
from stt_load.audio.codec import to_int16
from stt_load.audio.derived import derive
from stt_load.audio.line_codecs import ALAW, LINE_CODECS, MULAW, OPUS, LineCodec, Through
from stt_load.audio.noises import NOISES, InNoise
from stt_load.audio.sound_levels import to_wave
from stt_load.options import CODEC_NAMES

EVERY_SAMPLE = np.arange(-32_768, 32_768).astype(np.int16)


@pytest.fixture(scope="module")
def pool() -> list[Clip]:
    clips = []
    for number in range(3):
        wave, start_s, end_s = placed(sentence(number), lead_s=0.1, tail_s=0.2)
        clips.append(Clip(f"s{number}", SENTENCES[number], to_int16(wave), RATE_HZ, start_s, end_s))
    return clips


def mulaw_value(code: int) -> int:
    """What a code of µ-law stands for: ITU-T G.711, table 2, in steps of a 16 bit sample."""
    code = ~code & 0xFF
    size = ((((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84
    return -size if code & 0x80 else size


def alaw_value(code: int) -> int:
    """What a code of A-law stands for: ITU-T G.711, table 1, in steps of a 16 bit sample."""
    code ^= 0x55
    segment, size = (code & 0x70) >> 4, (code & 0x0F) << 4
    size = size + 8 if segment == 0 else (size + 0x108) << (segment - 1)
    return size if code & 0x80 else -size


@pytest.mark.parametrize(("codec", "value"), [(MULAW, mulaw_value), (ALAW, alaw_value)])
def test_g711_is_that_of_the_recommendation(codec: LineCodec, value: object) -> None:
    values = np.array([value(code) for code in range(256)])  # type: ignore[operator]
    assert np.array_equal(codec.decode(bytes(range(256))), values)
    codes = np.frombuffer(codec.encode(EVERY_SAMPLE), np.uint8)
    step = np.abs(values[:, None] - EVERY_SAMPLE[None, ::97].astype(int)).min(axis=0)
    error = np.abs(values[codes][::97] - EVERY_SAMPLE[::97].astype(int))
    assert (error <= step + np.maximum(8, np.abs(EVERY_SAMPLE[::97].astype(int)) / 32)).all(), (
        "the nearest code, or next"
    )


def test_a_code_of_g711_comes_back_as_itself() -> None:
    for codec in (MULAW, ALAW):
        codes = bytes(range(256))
        again = codec.encode(codec.decode(codes))
        assert np.array_equal(codec.decode(again), codec.decode(codes))


def test_the_options_name_the_codecs_that_there_are() -> None:
    assert tuple(LINE_CODECS) == CODEC_NAMES


def delay_samples(before: Clip, after: Clip) -> int:
    """How many samples the second is later than the first: where they are most alike."""
    first, second = to_wave(before.samples), to_wave(after.samples)
    n = 1 << (2 * len(first)).bit_length()
    alike = np.fft.irfft(np.fft.rfft(second, n) * np.conj(np.fft.rfft(first, n)), n)
    at = int(alike.argmax())
    return at if at < n // 2 else at - n


@pytest.mark.parametrize("codec", LINE_CODECS.values(), ids=lambda codec: codec.name)
@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 24_000])
def test_no_codec_moves_speech_in_time(pool: list[Clip], codec: LineCodec, rate_hz: int) -> None:
    from stt_load.audio.resample import resample

    clean = pool[0]
    clip = Clip("c", clean.reference, resample(clean.samples, RATE_HZ, rate_hz), rate_hz, clean.speech_start_s, 1.0)
    heard = derive([clip], (Through(codec, codec.encode),))[0]
    assert len(heard.samples) == len(clip.samples)
    assert abs(delay_samples(clip, heard)) / rate_hz <= 0.0005
    alike = np.corrcoef(to_wave(clip.samples), to_wave(heard.samples))[0, 1]
    assert 0.8 < alike < 0.99999, "it is the same speech, and something was done to it"


def test_a_telephone_takes_away_what_is_above_4_khz(pool: list[Clip]) -> None:
    noisy = derive(pool, (InNoise("white", NOISES["white"], 10.0),))
    heard = derive(noisy, (Through(MULAW, MULAW.encode),))[0]
    power = np.abs(np.fft.rfft(to_wave(heard.samples))) ** 2
    edge = len(power) * 4_100 // 8_000
    assert power[edge:].sum() < 0.001 * power.sum()


def test_the_noise_behind_a_clip_goes_through_the_codec_too(pool: list[Clip]) -> None:
    noisy = derive(pool, (InNoise("white", NOISES["white"], 10.0),))[0]
    heard = Through(ALAW, ALAW.encode).apply([noisy])[0]
    assert heard.room is not None
    assert noisy.room is not None
    assert len(heard.room) == len(noisy.room)
    power = np.abs(np.fft.rfft(to_wave(heard.room))) ** 2
    assert power[len(power) * 4_100 // 8_000 :].sum() < 0.001 * power.sum()


def test_opus_tells_how_far_it_is_and_ends_where_nobody_waits_for_it() -> None:
    told: list[float] = []

    def tell(done_s: float) -> None:
        told.append(done_s)
        if done_s == 20.0:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        OPUS.encode(np.zeros(25 * 16_000, np.int16), tell)
    assert told == [10.0, 20.0]


def test_opus_takes_as_much_as_voice_over_webrtc_does(pool: list[Clip]) -> None:
    seconds = sum(clip.duration_s for clip in pool)
    bits = 8 * sum(len(OPUS.encode(clip.samples)) for clip in pool)
    assert 16_000 < bits / seconds < 34_000
