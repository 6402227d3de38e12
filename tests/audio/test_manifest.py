from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_load.audio.clip import ClipWord
from stt_load.audio.manifest import FILE_KEYS, TEXT_KEYS, ManifestEntry, manifest_sha256, parse_line, to_text
from stt_load.errors import ClipError

WHOLE = ManifestEntry("a", "a.wav", "It's “here”.", 16000, 32000, 0.05, 1.95, "0" * 64, {"engine": "espeak"})

words = st.text(min_size=1).filter(str.strip)


@given(clip_id=words, file=words, reference=words)
def test_what_is_written_is_read_again_on_one_line(clip_id: str, file: str, reference: str) -> None:
    sounds = (ClipWord(reference, 0.0, 0.5),)
    entry = ManifestEntry(clip_id, file, reference, 8000, 1, 0.0, 0.5, "f" * 64, {"voice": reference}, words=sounds)
    line = entry.to_line()
    assert "\n" not in line and "\r" not in line
    assert parse_line(line) == entry


def test_a_hand_written_line_needs_only_file_and_reference() -> None:
    entry = parse_line('{"file": "calls/one.flac", "reference": "hello", "speaker": "unknown keys are left out"}')
    assert entry == ManifestEntry(clip_id="one", file="calls/one.flac", reference="hello")


def test_the_hash_is_that_of_the_file_as_written_and_moves_with_every_reference() -> None:
    assert manifest_sha256([WHOLE]) == hashlib.sha256(to_text([WHOLE]).encode()).hexdigest()
    other = ManifestEntry("a", "a.wav", "It's there.")
    assert manifest_sha256([WHOLE]) != manifest_sha256([other])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not JSON"),
        ('{"file": "a.wav", "text": null}', "`reference` missing"),
        ('{"file": "a.wav", "sentence": " "}', "`sentence` must be text that is not empty"),
        ("[]", "not a JSON object"),
        ("{}", "`file` and `reference` missing"),
        ('{"file": "a.wav"}', "`reference` missing"),
        ('{"file": "a.wav", "reference": "  "}', "`reference` must be text that is not empty"),
        ('{"file": 1, "reference": "x"}', "`file` must be text"),
        ('{"file": "a.wav", "reference": "x", "n_samples": true}', "`n_samples` must be a whole number"),
        ('{"file": "a.wav", "reference": "x", "sample_rate_hz": 0}', "`sample_rate_hz` must be a whole number"),
        ('{"file": "a.wav", "reference": "x", "speech_end_s": NaN}', "`speech_end_s` must be a number of seconds"),
        ('{"file": "a.wav", "reference": "x", "speech_end_s": Infinity}', "`speech_end_s` must be a number of seconds"),
        ('{"file": "a.wav", "reference": "x", "speech_end_s": true}', "`speech_end_s` must be a number of seconds"),
        (
            '{"file": "a.wav", "reference": "x", "offset_s": 1' + 400 * "0" + "}",
            "`offset_s` must be a number of seconds",
        ),
        ('{"file": "a.wav", "reference": "x", "speech_start_s": -1}', "`speech_start_s` must be a number of seconds"),
        ('{"file": "a.wav", "reference": "x", "sha256": "abc"}', "`sha256` must be 64 characters"),
        ('{"file": "a.wav", "reference": "x", "source": "tts"}', "`source` must be an object"),
        ('{"file": "a.wav", "reference": "x", "words": ["x"]}', "`words` must be a list of"),
        ('{"file": "a.wav", "reference": "x", "words": [["x", 0.2, 0.1]]}', "`words` must be a list of"),
        ('{"file": "a.wav", "reference": "x", "words": [["x", 0.2, 0.3], ["y", 0.1, 0.4]]}', "in which they begin"),
    ],
)
def test_a_wrong_line_is_refused_with_its_reason(line: str, reason: str) -> None:
    with pytest.raises(ClipError) as refused:
        parse_line(line)
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text_key", TEXT_KEYS)
@pytest.mark.parametrize("file_key", FILE_KEYS)
def test_file_and_text_have_the_names_that_other_lists_give_them(file_key: str, text_key: str) -> None:
    assert parse_line(json.dumps({file_key: "a.wav", text_key: "hello"})) == ManifestEntry("a", "a.wav", "hello")


def test_the_own_names_win() -> None:
    line = '{"path": "b.wav", "file": "a.wav", "text": "what was heard", "reference": "what was said"}'
    assert parse_line(line) == ManifestEntry("a", "a.wav", "what was said")


def test_a_line_of_nemo_is_read_by_its_own_names() -> None:
    entry = parse_line('{"audio_filepath": "/data/a.wav", "text": "hello", "offset": 1.5, "duration": 2, "lang": "en"}')
    assert entry == ManifestEntry("a", "/data/a.wav", "hello", offset_s=1.5, duration_s=2)
    assert entry.is_part and not parse_line('{"file": "a.wav", "reference": "x", "duration": 9}').is_part
