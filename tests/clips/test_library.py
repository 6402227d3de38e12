from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tts_stand_in import TtsStandIn, answer

from stt_load.audio.resample import resample
from stt_load.audio.texts import english_set, standard_set
from stt_load.clips import espeak
from stt_load.clips import tts_server as http
from stt_load.clips.folder import ClipSet, load_folder
from stt_load.clips.library import clips_from_tts, default_clips, make_folder
from stt_load.errors import ConfigError
from stt_load.tts.engines import voice_of

pytestmark = pytest.mark.slow

TEXTS = {"one": "Thank you for calling.", "two": "Please hold the line.", "three": "Good evening."}
ESPEAK = voice_of("espeak")


@pytest.fixture(autouse=True)
def no_waiting_between_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "BACKOFF_S", 0.0)


def files_below(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def test_every_shipped_text_is_spoken_in_3_to_12_seconds(english_clips: ClipSet) -> None:
    english = [clip for clip in english_clips.clips if clip.clip_id.startswith("english-")]
    assert len(english) == len(english_set()) >= 45
    assert [clip.clip_id for clip in english if not 3.0 <= clip.speech_s <= 12.0] == []


def test_the_standard_texts_come_last_and_only_where_asked_for(english_cache: Path, english_clips: ClipSet) -> None:
    assert [clip.clip_id for clip in english_clips.clips[-5:]] == list(standard_set())
    assert [clip.clip_id for clip in default_clips(16000, cache=english_cache).clips] == list(english_set())


def test_shipped_clips_are_all_different_with_the_same_pad_around_the_speech(english_clips: ClipSet) -> None:
    assert len({clip.sha256 for clip in english_clips.clips}) == len(english_clips.clips)
    for clip in english_clips.clips:
        assert clip.sample_rate_hz == 16000
        assert clip.speech_start_s == pytest.approx(0.05, abs=1e-3)
        assert clip.duration_s - clip.speech_end_s == pytest.approx(0.05, abs=1e-3)
        assert np.abs(clip.samples).max() > 3000
    assert english_clips.source == "engine espeak, voice en-us"
    assert english_clips.notes == ()


def test_progress_is_told_for_each_clip_and_not_for_clips_that_are_there(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    first = clips_from_tts(ESPEAK, TEXTS, 16000, lambda done, total: told.append((done, total)), tmp_path)
    again = clips_from_tts(ESPEAK, TEXTS, 8000, lambda done, total: told.append((done, total)), tmp_path)
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert first.manifest_sha256 == again.manifest_sha256
    assert {clip.sample_rate_hz for clip in again.clips} == {8000}


def test_the_same_recipe_gives_the_same_bytes_and_another_text_or_voice_a_folder_of_its_own(tmp_path: Path) -> None:
    hashes = [clips_from_tts(ESPEAK, TEXTS, None, cache=tmp_path / name).manifest_sha256 for name in ("a", "b")]
    assert hashes[0] == hashes[1]
    clips_from_tts(ESPEAK, TEXTS | {"one": "Good bye."}, None, cache=tmp_path / "a")
    clips_from_tts(voice_of("espeak", voice="en"), TEXTS, None, cache=tmp_path / "a")
    assert len(list((tmp_path / "a" / "clips").iterdir())) == 3


@pytest.mark.parametrize("damage", ["delete", "change", "manifest"])
def test_a_damaged_cache_is_made_anew_and_noted(tmp_path: Path, damage: str) -> None:
    good = clips_from_tts(ESPEAK, TEXTS, None, cache=tmp_path)
    (folder,) = (tmp_path / "clips").iterdir()
    if damage == "delete":
        (folder / "two.wav").unlink()
    elif damage == "change":
        data = bytearray((folder / "two.wav").read_bytes())
        data[-2000] ^= 0x55
        (folder / "two.wav").write_bytes(data)
    else:
        (folder / "clips.jsonl").write_text("{")
    healed = clips_from_tts(ESPEAK, TEXTS, None, cache=tmp_path)
    assert healed.manifest_sha256 == good.manifest_sha256
    (note,) = healed.notes
    assert note.startswith("the cached clips were damaged and have been made again")
    assert clips_from_tts(ESPEAK, TEXTS, None, cache=tmp_path).notes == ()
    assert [item.name for item in (tmp_path / "clips").iterdir()] == [folder.name]


def test_processes_that_fill_one_cache_at_the_same_time_all_get_the_same_clips(tmp_path: Path) -> None:
    script = (
        "import sys; from stt_load.clips.library import default_clips; sys.stdin.readline();"
        "print(default_clips(16000).manifest_sha256)"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"STT_LOAD_CACHE": str(tmp_path)},
        )
        for _ in range(3)
    ]
    try:
        for child in children:  # all are let go once all are there
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        answers = [child.communicate(timeout=60)[0].strip() for child in children]
    finally:
        for child in children:
            child.kill()
            child.wait()
    assert [child.returncode for child in children] == [0, 0, 0]
    assert len(set(answers)) == 1 and len(answers[0]) == 64
    (folder,) = (tmp_path / "clips").iterdir()
    assert folder.name.startswith("espeak-")


def test_ctrl_c_while_rendering_ends_it_at_once_and_leaves_nothing(tmp_path: Path) -> None:
    """So many texts that it is certainly still running when the signal comes."""
    script = (
        "from stt_load.tts.engines import voice_of; from stt_load.clips.library import clips_from_tts\n"
        "texts = {str(n): 'Thank you for calling.' for n in range(100_000)}\n"
        "clips_from_tts(voice_of('espeak'), texts, 16000, lambda done, total: print(done, flush=True))"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"STT_LOAD_CACHE": str(tmp_path)},
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "1\n"
        child.send_signal(signal.SIGINT)
        complaint = child.communicate(timeout=60)[1]
    finally:
        child.kill()
        child.wait()
    assert complaint.splitlines()[-1] == "KeyboardInterrupt"
    assert "ignored" not in complaint
    assert list((tmp_path / "clips").iterdir()) == []


def test_a_server_is_asked_once_for_each_text_one_at_a_time(
    tmp_path: Path, tts_server: TtsStandIn, spoken_wav: bytes
) -> None:
    tts_server.answers = [answer(200, spoken_wav)]
    voice = voice_of("chatterbox", tts_server.url)
    clips = clips_from_tts(voice, TEXTS, 16000, cache=tmp_path)
    assert [(clip.clip_id, clip.reference) for clip in clips.clips] == list(TEXTS.items())
    assert [clip.duration_s for clip in clips.clips] == [pytest.approx(0.6, abs=0.02)] * 3  # 0.9 s of silence cut
    assert clips.source == f"engine chatterbox, voice Emily.wav, url {tts_server.url}/tts"
    clips_from_tts(voice, TEXTS | {"four": "Good bye."}, 16000, cache=tmp_path)
    make_folder(voice, TEXTS, tmp_path / "out", cache=tmp_path)
    assert [body["text"] for body in tts_server.bodies] == [*TEXTS.values(), "Good bye."]
    assert tts_server.in_flight_max == 1
    clips_from_tts(voice_of("chatterbox", tts_server.url, voice="Adrian.wav"), TEXTS, 16000, cache=tmp_path)
    assert len(tts_server.bodies) == 7


def test_a_server_that_fails_half_way_leaves_no_folder_and_is_asked_only_for_the_rest(
    tmp_path: Path, tts_server: TtsStandIn, spoken_wav: bytes
) -> None:
    tts_server.answers = [answer(200, spoken_wav), answer(422, b"no")]
    voice = voice_of("chatterbox", tts_server.url)
    cache, out = tmp_path / "cache", tmp_path / "out"
    with pytest.raises(ConfigError, match="HTTP 422"):
        make_folder(voice, TEXTS, out, cache=cache)
    assert list(tmp_path.iterdir()) == [cache]
    assert len(files_below(cache)) == 1
    tts_server.answers = [answer(200, spoken_wav)]
    make_folder(voice, TEXTS, out, cache=cache)
    assert [body["text"] for body in tts_server.bodies] == [TEXTS[key] for key in ("one", "two", "two", "three")]
    assert len(load_folder(out, None).clips) == 3
    assert json.loads((out / "clips.jsonl").read_text().splitlines()[0])["source"]["voice"] == "Emily.wav"


def test_an_answer_of_silence_is_refused_and_not_kept(tmp_path: Path, tts_server: TtsStandIn) -> None:
    silence = io.BytesIO()
    soundfile.write(silence, np.zeros(24000), 24000, format="WAV")
    tts_server.answers = [answer(200, silence.getvalue())]
    with pytest.raises(ConfigError) as refused:
        clips_from_tts(voice_of("chatterbox", tts_server.url), TEXTS, 16000, cache=tmp_path)
    assert refused.value.problems[0].startswith(
        "chatterbox as Emily.wav could not speak one ('Thank you for calling.'): silence only"
    )
    assert files_below(tmp_path) == set()


def test_a_damaged_answer_in_the_cache_is_asked_for_again(
    tmp_path: Path, tts_server: TtsStandIn, spoken_wav: bytes
) -> None:
    tts_server.answers = [answer(200, spoken_wav)]
    voice = voice_of("chatterbox", tts_server.url)
    make_folder(voice, {"one": "Hello."}, tmp_path / "a", cache=tmp_path)
    (kept,) = (tmp_path / "tts").iterdir()
    kept.write_bytes(spoken_wav[:100])
    make_folder(voice, {"one": "Hello."}, tmp_path / "b", cache=tmp_path)
    assert len(tts_server.bodies) == 2
    assert kept.read_bytes() == spoken_wav


def test_a_text_of_no_words_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"could not speak dots \('\.\.\.'\)"):
        clips_from_tts(ESPEAK, {"dots": "..."}, 16000, cache=tmp_path)


def test_a_folder_that_holds_something_is_refused_before_anything_is_spoken(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    told: list[int] = []
    with pytest.raises(ConfigError, match="is not empty"):
        make_folder(ESPEAK, TEXTS, tmp_path, lambda done, total: told.append(done), cache=tmp_path / "cache")
    assert told == []


def test_cached_clips_are_read_without_espeak_and_other_texts_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = clips_from_tts(ESPEAK, TEXTS, None, cache=tmp_path)
    monkeypatch.setattr(espeak, "installed_version", lambda _: None)
    monkeypatch.setattr(espeak, "espeak_version", espeak.espeak_version.__wrapped__)  # which remembers
    found = clips_from_tts(ESPEAK, TEXTS, None, cache=tmp_path)
    assert (found.manifest_sha256, found.source) == (there.manifest_sha256, there.source)
    for other in (tmp_path / "empty", tmp_path):
        with pytest.raises(ConfigError, match="espeak is not installed"):
            clips_from_tts(ESPEAK, {"one": "Good bye."}, None, cache=other)
    (folder,) = (tmp_path / "clips").iterdir()
    (folder / "clips.jsonl").write_text("{")
    with pytest.raises(ConfigError, match="espeak is not installed"):
        clips_from_tts(ESPEAK, TEXTS, None, cache=tmp_path)


def test_every_shipped_clip_has_the_words_of_its_reference_with_their_times(english_clips: ClipSet) -> None:
    for clip in english_clips.clips:
        assert " ".join(word.text for word in clip.words) == " ".join(clip.reference.split())
        assert clip.words[0].start_s == pytest.approx(clip.speech_start_s, abs=0.011)
        assert clip.words[-1].end_s == pytest.approx(clip.speech_end_s, abs=0.011)
        assert all(word.start_s < word.end_s <= after.start_s for word, after in pairwise(clip.words))


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, None])
def test_words_are_where_the_audio_is_at_any_rate_and_after_the_silence_around_it_was_cut(
    tmp_path: Path, rate_hz: int | None
) -> None:
    """Held against what was spoken: the samples of each word, cut out of the clip, fit espeak's own best just there."""
    text = "We moved house, last week. Please call the office, tomorrow."
    (clip,) = clips_from_tts(ESPEAK, {"one": text}, rate_hz, cache=tmp_path).clips
    spoken = espeak.speak_words(text, "en-us")
    whole = resample(spoken.pcm.samples, spoken.pcm.sample_rate_hz, clip.sample_rate_hz).astype(float)
    assert [word.text for word in clip.words] == [word.text for word in spoken.words]
    for word, truth in zip(clip.words, spoken.words, strict=True):
        first, after = (round(at_s * clip.sample_rate_hz) for at_s in (word.start_s, word.end_s))
        ours = clip.samples[first:after].astype(float)
        expected = round(truth.start_s * clip.sample_rate_hz)
        reach = round(0.02 * clip.sample_rate_hz)
        around = range(max(0, expected - reach), min(expected + reach, len(whole) - len(ours)) + 1)
        errors = {at: float(np.square(whole[at : at + len(ours)] - ours).sum()) for at in around}
        assert abs(min(errors, key=errors.__getitem__) - expected) / clip.sample_rate_hz < 0.006


def test_made_folders_and_those_of_other_engines_keep_what_is_known_of_the_words(
    tmp_path: Path, tts_server: TtsStandIn, spoken_wav: bytes
) -> None:
    make_folder(ESPEAK, TEXTS, tmp_path / "ours", cache=tmp_path)
    cached = clips_from_tts(ESPEAK, TEXTS, 8_000, cache=tmp_path)
    assert [clip.words for clip in load_folder(tmp_path / "ours", None).clips] == [clip.words for clip in cached.clips]
    tts_server.answers = [answer(200, spoken_wav)]
    make_folder(voice_of("chatterbox", tts_server.url), TEXTS, tmp_path / "theirs", cache=tmp_path)
    assert [clip.words for clip in load_folder(tmp_path / "theirs", None).clips] == [(), (), ()]
