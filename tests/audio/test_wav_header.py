from __future__ import annotations

import numpy as np
import pytest
from wav_files import RATE_HZ, SPEECH, chunk, rf64, wav

from stt_load.audio.codec import decode
from stt_load.audio.wav_header import Behind, read_wav_header, what_follows
from stt_load.errors import ClipError

N = len(SPEECH)
UNKNOWN = "its header doesn't say how long it is"


@pytest.mark.parametrize(
    ("data", "mended"),
    [
        (wav(), None),
        (wav(riff=0), None),
        (wav(riff=36), None),
        (wav(riff=N + 36 + 8), None),
        (wav(riff=N + 36 - 8), None),
        (wav(order=">"), None),
        (rf64(), None),
        (rf64(magic=b"BW64"), None),
        (wav(before=chunk(b"LIST", b"INFOISFT\x01\0\0\0x"), behind=chunk(b"id3 ", b"ID3\x03\0")), None),
        (wav(before=chunk(b"JUNK", bytes(28)) + chunk(b"bext", bytes(602))), None),
        (wav(behind=b"TAG" + b"x" * 125), None),
        (wav(behind=bytes(4000)), None),  # zeros that fill up a block of a disk are not worth a word
        (wav(said=0, riff=0), UNKNOWN),
        (wav(said=0), UNKNOWN),
        (wav(said=0xFFFFFFFF, riff=0xFFFFFFFF), UNKNOWN),
        (wav(said=0xFFFFFFFF), UNKNOWN),
        (wav(said=0x7FFFFFFF, riff=0x80000023), UNKNOWN),
        (wav(said=0x7FFFFFFF - 36, riff=0x7FFFFFFF), UNKNOWN),
        (wav(said=2_000_000_000, riff=2_000_000_036), UNKNOWN),
        (wav(said=1_000_000_000, riff=1_000_000_036), UNKNOWN),
        (wav(said=2 * N, riff=N + 36), "its header says 2.00 s, there are 1.00 s"),
        (wav(said=N // 4, riff=N // 4 + 36), "its header says 0.25 s, there are 1.00 s"),
        (wav(said=N // 4), "its header says 0.25 s, there are 1.00 s"),
        (wav(said=N // 4, riff=N // 4 + 36, order=">"), "its header says 0.25 s, there are 1.00 s"),
    ],
)
def test_the_samples_that_are_there_count_and_a_header_that_is_wrong_is_told(data: bytes, mended: str | None) -> None:
    pcm = decode(data)
    assert pcm.samples.tobytes() == SPEECH
    assert (pcm.sample_rate_hz, pcm.mended) == (RATE_HZ, mended)


def test_a_wav_for_each_sentence_is_one_clip() -> None:
    pcm = decode(wav() + wav() + wav(behind=chunk(b"LIST", b"INFO")))
    assert pcm.samples.tobytes() == 3 * SPEECH
    assert pcm.mended == "it is 3 WAV files in one"


def test_an_odd_number_of_bytes_is_padded_before_the_next_file() -> None:
    data = wav(bytes(range(128, 255)) * 9, bits=8, behind=b"\0") + wav(bytes(range(128, 255)) * 9, bits=8)
    assert len(decode(data).samples) == 2 * 127 * 9


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (wav()[: N // 2], "cut short: its header promises 1.00 s, it holds 0.50 s"),
        (wav(SPEECH[: N // 2], said=N, riff=0xFFFFFFFF), "cut short"),
        (rf64(SPEECH[: N // 2], said=N), "cut short"),
        (wav(b""), "holds no samples"),
        (wav(b"", said=0, behind=chunk(b"LIST", b"INFO")), "holds no samples"),
        (wav(rate_hz=1), "its header says 1 samples a second, speech has 4,000 to 384,000"),
        (wav(rate_hz=0), "1 channels at 0 Hz"),
        (wav(channels=0), "0 channels at 16000 Hz"),
        (wav() + wav(rate_hz=8000), "several WAV files in one, of different formats"),
        (wav()[:20], "holds no samples"),
        (b"RIFF", "no whole WAV header"),
        (b"RIFF" + bytes(4) + b"AVI LIST" + bytes(40), "no WAV"),
        (b"RIFF" + bytes(4) + b"WAVEdata" + bytes(40), "how fast"),
    ],
)
def test_a_wav_that_is_none_is_one_line(data: bytes, reason: str) -> None:
    with pytest.raises(ClipError) as refused:
        decode(data)
    assert reason in str(refused.value) and "\n" not in str(refused.value)


def test_a_header_is_read_once_it_is_whole() -> None:
    data = wav(before=chunk(b"LIST", b"INFO"))
    head = data[: data.index(SPEECH)]
    assert all(read_wav_header(head[:n]) is None for n in range(len(head)))
    header = read_wav_header(head)
    assert header is not None
    assert (header.samples_at, header.promised_bytes, header.format.bytes_per_s) == (len(head), N, 32_000)


@pytest.mark.parametrize(
    ("rest", "behind"),
    [
        (b"", Behind.NOTHING),
        (b"\0", Behind.NOTHING),
        (chunk(b"LIST", bytes(26)), Behind.CHUNKS),
        (chunk(b"LIST", bytes(26))[:8], Behind.CHUNKS),
        (b"LIST" + (0xFFFFFFF0).to_bytes(4, "little"), Behind.SAMPLES),
        (b"RIFF\0\0\0\0", Behind.WAV),
        (SPEECH[200:300], Behind.SAMPLES),
        (b"TAG" + bytes(125), Behind.NOTHING),
    ],
)
def test_what_follows_the_promised_samples_is_told_from_eight_bytes(rest: bytes, behind: Behind) -> None:
    assert what_follows(rest) is behind


def test_samples_are_hardly_ever_taken_for_a_chunk() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (100_000, 8), np.uint8)
    kinds = [what_follows(row.tobytes()) for row in noise]
    assert sum(kind is not Behind.SAMPLES for kind in kinds) < 10
