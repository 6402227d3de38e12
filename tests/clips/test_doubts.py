from __future__ import annotations

from stt_load.audio.bounds_doubts import Doubt
from stt_load.audio.found_speech import FoundSpeech
from stt_load.audio.speech_bounds import SpeechBounds
from stt_load.clips.doubts import bounds_note, strict_problems, words_of
from stt_load.clips.folder import ClipSet


def clips(**doubts: tuple[Doubt, ...]) -> ClipSet:
    found = {name: FoundSpeech(SpeechBounds(0.1, 1.0), 1.0, why) for name, why in doubts.items()}
    return ClipSet((), "here", "0" * 64, found=found)


def test_clips_that_are_sure_have_no_note_and_are_not_refused() -> None:
    assert bounds_note(clips(a=(), b=())) is None
    assert strict_problems(clips(a=(), b=())) == []


def test_a_note_names_the_clips_and_why() -> None:
    note = bounds_note(clips(a=(Doubt.WEAK_END, Doubt.BACKGROUND), b=(), c=(Doubt.CUT_AT_END,)))
    assert note is not None and "\n" not in note
    assert f"a ({words_of([Doubt.WEAK_END, Doubt.BACKGROUND])}), c ({Doubt.CUT_AT_END.words})" in note
    assert "2 of " in note


def test_of_a_thousand_clips_five_are_named() -> None:
    note = bounds_note(clips(**{f"clip{n}": (Doubt.CUT_AT_END,) for n in range(1_000)}))
    assert note is not None
    assert "clip4 (" in note and "clip5 (" not in note and "and 995 more" in note


def test_a_refusal_is_one_line_for_each_clip_and_says_what_to_do() -> None:
    lines = strict_problems(clips(a=(Doubt.NO_VOICE,), b=(), c=(Doubt.CUT_AT_END,)))
    assert [line.startswith(f"--strict-bounds: clip {name}: ") for line, name in zip(lines, "ac", strict=True)]
    assert all("speech_end_s" in line for line in lines)
