from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from clip_folders import problems_of
from data_sets import MAKERS, TEXTS, put, text_folder, write

from stt_load.clips.data_set import BESIDE
from stt_load.clips.folder import load_folder
from stt_load.clips.layouts import LAYOUTS


@pytest.mark.parametrize(
    ("layout", "make"),
    [*MAKERS.items(), ("a text beside each audio file", text_folder)],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_data_set_is_read_as_it_comes(tmp_path: Path, layout: str, make: Callable[[Path], list[str]]) -> None:
    ids = make(tmp_path)
    loaded = load_folder(tmp_path, 16000)
    assert [(clip.clip_id, clip.reference) for clip in loaded.clips] == list(zip(ids, TEXTS, strict=True))
    assert (loaded.layout, loaded.notes) == (layout, ())
    assert all(0.4 < clip.duration_s < 0.8 for clip in loaded.clips)


def test_every_layout_of_the_table_has_a_data_set_here() -> None:
    assert {layout.name for layout in LAYOUTS} == {name.partition(",")[0] for name in MAKERS} - {
        "a text beside each audio file"
    }


def test_common_voice_sentences_keep_unpaired_quotation_marks(tmp_path: Path) -> None:
    for n in range(3):
        put(tmp_path / "clips" / f"{n}.mp3", format="MP3")
    sentences = ['"It was dark', "middle row", 'ends here"']
    rows = "".join(f"{n}.mp3\t{sentence}\n" for n, sentence in enumerate(sentences))
    write(tmp_path / "test.tsv", "path\tsentence\n" + rows)
    assert [clip.reference for clip in load_folder(tmp_path, None).clips] == sentences


def test_a_command_in_wav_scp_is_refused_and_never_run(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    write(tmp_path / "wav.scp", f"utt-1 touch {touched} |\nutt-2 | cat x\nutt-3 raw.ark:17\n")
    write(tmp_path / "text", "utt-1 one\nutt-2 two\nutt-3 three\n")
    told = problems_of(tmp_path)
    assert len(told) == 3 and not touched.exists()
    assert told[0].startswith(f"{tmp_path / 'wav.scp'} line 1: utt-1 is made by a command, which is not run")
    assert "wav.scp line 2: utt-2 is made by a command" in told[1]
    assert "wav.scp line 3: utt-3 is no audio file (raw.ark:17)" in told[2]


def test_segments_of_kaldi_cut_the_recording(tmp_path: Path) -> None:
    put(tmp_path / "long.flac", 2.0)
    write(tmp_path / "wav.scp", "rec long.flac\n")
    write(tmp_path / "segments", "utt-1 rec 0.25 1.0\nutt-2 rec 1.0 -1\n")
    write(tmp_path / "text", "utt-1 one\nutt-2 two\n")
    clips = load_folder(tmp_path, None).clips
    assert [(clip.clip_id, clip.reference, clip.duration_s) for clip in clips] == [
        ("utt-1", "one", pytest.approx(0.75)),
        ("utt-2", "two", pytest.approx(1.0)),
    ]


def test_what_does_not_fit_together_in_a_kaldi_folder_is_told(tmp_path: Path) -> None:
    put(tmp_path / "a.wav")
    write(tmp_path / "wav.scp", "rec a.wav\n")
    write(tmp_path / "segments", "utt-1 rec 0 0.4\nutt-2 rec 0.4 0.1\nutt-3 other 0 1\nutt-4 rec 0 0.2\n")
    write(tmp_path / "text", "utt-1 one\nutt-3 three\nutt-5 five\n")
    told = [problem.removeprefix(f"{tmp_path}/") for problem in problems_of(tmp_path)]
    assert told == [
        "segments line 2: write utterance, recording, start and end in seconds",
        "segments: utt-3 is of other, which wav.scp lacks",
        "text: no text of what is spoken in utt-4",
        "text line 3: utt-5 has no audio in wav.scp or segments",
    ]


@pytest.mark.parametrize(("layout", "make"), MAKERS.items(), ids=list(MAKERS))
def test_audio_that_is_missing_is_told_with_its_list_and_line(
    tmp_path: Path, layout: str, make: Callable[[Path], list[str]]
) -> None:
    make(tmp_path)
    audio = [file for file in tmp_path.rglob("*") if file.suffix in (".wav", ".flac", ".mp3", ".opus", ".ogg")]
    gone = max(audio, key=lambda file: file.stem)
    gone.unlink()
    if layout.startswith(("AISHELL", BESIDE)):
        assert len(load_folder(tmp_path, None).clips) == len(TEXTS) - 1
        return
    told = problems_of(tmp_path)
    assert told
    for problem in told:
        place, _, rest = problem.partition(": ")
        listing, _, line = place.rpartition(" line ")
        assert gone.stem in Path(listing).read_text(encoding="utf-8-sig").split("\n")[int(line) - 1]
        assert rest.endswith(": the file is missing") and gone.stem in rest


def test_a_kaldi_folder_without_texts_is_told(tmp_path: Path) -> None:
    write(tmp_path / "wav.scp", "rec a.wav\n")
    (problem,) = problems_of(tmp_path)
    assert problem.startswith(f"{tmp_path / 'wav.scp'} has no file `text` beside it")
