from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from tones import tone

from stt_load.audio import codec
from stt_load.audio.codec import Pcm, decode, encode_wav, encoded_seconds
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
        (b"no sound at all", "it is text and no audio: no sound at all"),
        (bytes(range(256)), "not readable as wav, flac, ogg, opus or mp3"),
        (encode_wav(Pcm(np.ones(4000, np.int16), 8000))[:4000], "cut short"),
        (encode_wav(Pcm(np.zeros(0, np.int16), 8000)), "holds no samples"),
        (written(np.array([0.1, np.nan]), 8000, format="WAV", subtype="FLOAT"), "not numbers"),
    ],
    ids=["empty", "text", "rubbish", "cut", "no samples", "nan"],
)
def test_what_is_no_sound_is_refused_in_one_line(data: bytes, reason: str) -> None:
    with pytest.raises(ClipError) as refused:
        decode(data)
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)


def flac_of_unknown_length(wave: np.ndarray, rate_hz: int) -> bytes:
    """A FLAC as `ffmpeg -f flac -` writes it: no number of samples, no digest, no size of the frames in STREAMINFO."""
    data = bytearray(written(wave, rate_hz, format="FLAC", subtype="PCM_16"))
    data[12:18] = bytes(6)
    data[21] &= 0xF0
    data[22:42] = bytes(20)
    return bytes(data)


@pytest.mark.parametrize("seconds", [0.3, 4.096, 4.1, 9.0], ids=lambda value: f"{value} s")
def test_a_flac_that_does_not_say_how_long_it_is_is_read_to_its_end(seconds: float) -> None:
    wave = tone(seconds, 16000)
    data = flac_of_unknown_length(wave, 16000)
    pcm = decode(data)
    assert np.abs(pcm.samples - wave * 32768).max() <= 1 and len(pcm.samples) == len(wave)
    assert encoded_seconds(data) == pytest.approx(seconds, abs=1e-3)


def test_a_flac_that_is_cut_is_refused_whether_it_says_its_length_or_not() -> None:
    wave = np.random.default_rng(1).uniform(-0.5, 0.5, 48000)
    for data in (written(wave, 16000, format="FLAC", subtype="PCM_16"), flac_of_unknown_length(wave, 16000)):
        with pytest.raises(ClipError, match="cut short"):
            decode(data[: len(data) // 2])


def test_what_is_left_of_an_mp3_or_ogg_with_several_streams_is_read_too() -> None:
    """Servers that speak a sentence at a time send one file behind the other."""
    for container, subtype, why in (
        ("OGG", "OPUS", "it is 3 Ogg files in one"),
        ("OGG", "VORBIS", "it is 3 Ogg files in one"),
        ("MP3", "MPEG_LAYER_III", "its header counts its first piece only"),
    ):
        one = written(tone(2.0, 24000), 24000, format=container, subtype=subtype)
        assert (decode(one).duration_s, decode(one).mended) == (pytest.approx(2.0, abs=0.1), None)
        pcm = decode(one * 3)
        assert pcm.duration_s == pytest.approx(6.0, abs=0.3)
        assert pcm.mended == why
        assert encoded_seconds(one * 3) == pytest.approx(pcm.duration_s)


def without_xing(data: bytes) -> bytes:
    """An MP3 of a streaming server: nothing in it says how many frames there are."""
    at = min(place for name in (b"Xing", b"Info") if (place := data.find(name)) >= 0)
    return data[:at] + bytes(120) + data[at + 120 :]


def test_an_mp3_of_variable_bitrate_is_read_to_its_end_without_a_count_of_frames() -> None:
    """Its length is estimated from its first frames, which are quiet here: the estimate is far too short."""
    wave = np.concatenate([tone(0.5, 24000) * 0.001, np.random.default_rng(1).uniform(-0.5, 0.5, 24000 * 4)])
    buffer = io.BytesIO()
    soundfile.write(
        buffer, wave, 24000, format="MP3", subtype="MPEG_LAYER_III", bitrate_mode="VARIABLE", compression_level=0.5
    )
    data = without_xing(buffer.getvalue())
    assert decode(data).duration_s == pytest.approx(4.5, abs=0.15)
    assert encoded_seconds(data) == pytest.approx(4.5, abs=0.15)
    assert decode(data[:-50]).duration_s > 4  # cut within its last frame


def test_an_mp3_that_says_more_than_there_is_was_cut() -> None:
    data = written(tone(4.0, 24000), 24000, format="MP3", subtype="MPEG_LAYER_III")
    with pytest.raises(ClipError, match="cut short"):
        decode(data[: len(data) // 2])


def test_an_ogg_without_its_last_page_is_read_and_noted() -> None:
    data = written(np.random.default_rng(1).uniform(-0.5, 0.5, 96000), 24000, format="OGG", subtype="VORBIS")
    assert decode(data[: len(data) * 2 // 3]).mended == "it has no end mark, so it may be cut short"


def test_channels_that_cancel_each_other_out_are_told() -> None:
    left = tone(0.2, 8000)
    with pytest.raises(ClipError, match="cancel each other out"):
        decode(written(np.stack([left, -left], axis=1), 8000, format="WAV", subtype="PCM_16"))
    half = decode(written(np.stack([left, -0.5 * left], axis=1), 8000, format="WAV", subtype="PCM_16"))
    assert np.abs(half.samples).max() > 1000


def test_floats_on_the_scale_of_integers_are_told() -> None:
    with pytest.raises(ClipError, match=r"floats up to 16,384, where full scale is 1"):
        decode(written(tone(0.2, 8000) * 32768, 8000, format="WAV", subtype="FLOAT"))


def test_a_small_file_that_unpacks_into_more_than_any_clip_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "_MOST_SAMPLES", 100_000)
    assert decode(written(np.zeros(100_000), 8000, format="FLAC")).duration_s == 12.5
    for data in (written(np.zeros(400_000), 8000, format="FLAC"), written(np.zeros((50_001, 2)), 8000, format="WAV")):
        with pytest.raises(ClipError, match=r"it holds more than 100,000 samples: cut it, or resample it"):
            decode(data)
