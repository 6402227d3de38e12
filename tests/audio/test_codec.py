from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from tones import tone

from stt_load.audio.codec import Pcm, decode, encode_wav
from stt_load.errors import ClipError


def written(waves: np.ndarray, rate_hz: int, **how: str) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, waves, rate_hz, **how)
    return buffer.getvalue()


def test_16_bit_samples_survive_writing_and_reading_exactly() -> None:
    samples = np.arange(-32768, 32768, dtype=np.int16)
    again = decode(encode_wav(Pcm(samples, 22050)))
    assert again.sample_rate_hz == 22050
    assert np.array_equal(again.samples, samples)


@pytest.mark.parametrize(
    ("how", "off_by"),
    [
        ({"format": "WAV", "subtype": "PCM_U8"}, 256),
        ({"format": "WAV", "subtype": "PCM_16"}, 1),
        ({"format": "WAV", "subtype": "PCM_24"}, 1),
        ({"format": "WAV", "subtype": "PCM_32"}, 1),
        ({"format": "WAV", "subtype": "FLOAT"}, 1),
        ({"format": "WAV", "subtype": "ULAW"}, 600),
        ({"format": "FLAC", "subtype": "PCM_24"}, 1),
        ({"format": "OGG", "subtype": "VORBIS"}, 900),
    ],
    ids=lambda value: value["subtype"] if isinstance(value, dict) else "",
)
def test_every_depth_and_format_becomes_the_same_16_bit_sound(how: dict[str, str], off_by: int) -> None:
    wave = tone(0.3, 16000)
    pcm = decode(written(wave, 16000, **how))
    assert (pcm.sample_rate_hz, len(pcm.samples)) == (16000, len(wave))
    assert np.abs(pcm.samples - wave * 32768).max() <= off_by


def test_stereo_is_mixed_down_by_its_mean() -> None:
    left = tone(0.2, 8000)
    pcm = decode(written(np.stack([left, np.zeros_like(left)], axis=1), 8000, format="WAV", subtype="PCM_16"))
    assert np.abs(pcm.samples - left * 16384).max() <= 1


def test_float_samples_over_full_scale_are_clipped_instead_of_wrapping() -> None:
    pcm = decode(written(np.array([2.0, -2.0, 0.0]), 8000, format="WAV", subtype="FLOAT"))
    assert pcm.samples.tolist() == [32767, -32768, 0]


@pytest.mark.parametrize("size", [b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f"], ids=["0xFFFFFFFF", "0x7FFFFFFF"])
def test_a_streamed_wav_without_its_true_size_is_read(size: bytes) -> None:
    """Servers that stream write the header before they know the length."""
    wave = tone(0.2, 24000)
    data = bytearray(written(wave, 24000, format="WAV", subtype="PCM_16"))
    data[4:8] = size
    data[40:44] = size
    assert len(decode(bytes(data)).samples) == len(wave)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"no sound at all", "not readable as wav, flac or ogg"),
        (encode_wav(Pcm(np.ones(4000, np.int16), 8000))[:4000], "cut short"),
        (encode_wav(Pcm(np.zeros(0, np.int16), 8000)), "holds no samples"),
        (written(np.array([0.1, np.nan]), 8000, format="WAV", subtype="FLOAT"), "not numbers"),
    ],
    ids=["empty", "text", "cut", "no samples", "nan"],
)
def test_what_is_no_sound_is_refused_in_one_line(data: bytes, reason: str) -> None:
    with pytest.raises(ClipError) as refused:
        decode(data)
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)
