"""What callers speak: from a folder, a TTS server or the shipped texts, cut for the server they are meant for."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import gevent
import pytest
from tts_stand_in import answer, running

from stt_load.audio.codec import Pcm, decode, encode_wav
from stt_load.audio.texts import english_set
from stt_load.clips.folder import write_folder
from stt_load.clips.library import default_clips
from stt_load.config import RunConfig, parse_options
from stt_load.errors import ConfigError
from stt_load.workloads.run_clips import choose_clips, encode_clips, frame_rule, utterance_limit_s

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STT_LOAD_CACHE", str(tmp_path / "cache"))


def config(**options: str) -> RunConfig:
    return parse_options(options)


@pytest.mark.parametrize(("path", "field"), [("/tts", "text"), ("/v1/audio/speech", "input")])
def test_a_tts_server_speaks_the_shipped_texts_once(path: str, field: str) -> None:
    spoken = default_clips(24_000).clips[0]
    with running() as server:
        server.answers = [answer(200, encode_wav(Pcm(spoken.samples, 24_000)))]
        for _ in range(2):
            clips = choose_clips(config(tts_url=server.url + path)).clips
        asked = [body[field] for body in server.bodies]
    assert asked == list(english_set().values()), "each text once, in order, and nothing the second time"
    assert {clip.sample_rate_hz for clip in clips} == {16_000}
    assert [clip.reference for clip in clips] == asked


def test_a_folder_is_spoken_as_it_is(tmp_path: Path) -> None:
    clips = default_clips(16_000).clips[:3]
    write_folder(tmp_path / "mine", clips, {"engine": "test"})
    chosen = choose_clips(config(clips=str(tmp_path / "mine")))
    assert [clip.reference for clip in chosen.clips] == [clip.reference for clip in clips]


def test_every_clip_is_cut_into_frames_that_the_server_takes_whole() -> None:
    options = config(trailing_silence="0.5s")
    clips = default_clips(16_000).clips[:2]
    encoded = encode_clips(options, clips)
    assert frame_rule(options).frame_bytes == 3_072
    for clip in clips:
        frames = [prepared.message for (prepared,) in encoded[clip.clip_id].frames]
        stream = b"".join(frames)
        assert {len(frame) for frame in frames} == {3_072}
        assert stream.startswith(clip.samples.tobytes())
        assert not any(stream[2 * len(clip.samples) :])
        assert len(stream) >= 2 * (len(clip.samples) + 8_000)


def test_heartbeats_go_on_while_clips_are_encoded() -> None:
    turns = count()

    def beat() -> None:
        while True:
            next(turns)
            gevent.sleep(0)

    heart = gevent.spawn(beat)
    encode_clips(config(), default_clips(16_000).clips[:5])
    heart.kill()
    assert next(turns) >= 5


def test_no_utterance_lasts_longer_than_its_limit() -> None:
    clips = default_clips(16_000).clips
    longest_s = max(clip.duration_s for clip in clips)
    assert utterance_limit_s(config(timeout="5"), clips) > 10.0 + longest_s + 1.0 + 5.0
    waits = {"connect_timeout": "40", "ready_timeout": "50"}
    assert utterance_limit_s(config(timeout="5", dialect="whisperlive", **waits), clips) > 40.0 + 50.0 + longest_s + 5.0


def test_clips_whose_end_of_speech_is_uncertain_are_refused_where_that_is_asked(tmp_path: Path) -> None:
    write_folder(tmp_path / "clips", default_clips(16_000).clips[:3], {})
    kept = str(tmp_path / "clips")
    assert not choose_clips(config(clips=kept, strict_bounds="1")).doubts, "their manifest says when speech ends"
    (tmp_path / "clips" / "clips.jsonl").unlink()
    for wav in sorted((tmp_path / "clips").glob("*.wav")):
        wav.with_suffix(".txt").write_text("words")
    assert choose_clips(config(clips=kept, strict_bounds="1")).found
    pcm = decode(wav.read_bytes())
    wav.write_bytes(encode_wav(Pcm(pcm.samples[: len(pcm.samples) // 2], pcm.sample_rate_hz)))
    assert list(choose_clips(config(clips=kept)).doubts) == [wav.stem]
    with pytest.raises(ConfigError) as refused:
        choose_clips(config(clips=kept, strict_bounds="1"))
    (line,) = refused.value.problems
    assert line.startswith(f"--strict-bounds: clip {wav.stem}: speech ends at the file's edge")
