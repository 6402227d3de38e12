from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
from tones import tone

from stt_load.clips.folder import load_folder
from stt_load.clips.layouts import LAYOUTS, read_layout
from stt_load.errors import ConfigError

STT_LOAD = Path(sys.executable).parent / "stt-load"
TEXTS = ("it was a dark night", 'he said "hello" to me', "the end")


def put(path: Path, seconds: float = 0.5, **how: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone(seconds, 16000), 16000, **how)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")


def lines(*rows: dict) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def own(folder: Path) -> list[str]:
    for n in range(3):
        put(folder / f"{n}.wav")
    write(folder / "clips.jsonl", lines(*({"file": f"{n}.wav", "reference": TEXTS[n]} for n in range(3))))
    return ["0", "1", "2"]


def audiofolder_jsonl(folder: Path) -> list[str]:
    """Two splits, each with a list whose paths count from its own folder."""
    for split, numbers in (("test", (0,)), ("train", (1, 2))):
        for n in numbers:
            put(folder / split / "data" / f"{n}.wav")
        rows = [{"file_name": f"data/{n}.wav", "text": TEXTS[n], "duration": 9_000, "id": 7} for n in numbers]
        write(folder / split / "metadata.jsonl", lines(*rows))
    return ["0", "1", "2"]


def audiofolder_csv(folder: Path) -> list[str]:
    for n in range(3):
        put(folder / f"{n}.mp3", format="MP3")
    with (folder / "metadata.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["file_name", "transcription"])
        writer.writeheader()
        writer.writerows({"file_name": f"{n}.mp3", "transcription": TEXTS[n]} for n in range(3))
    return ["0", "1", "2"]


def ljspeech(folder: Path) -> list[str]:
    for n in range(3):
        put(folder / "wavs" / f"LJ001-{n}.wav")
    written = ("It was a dark night.", TEXTS[1], "The End")
    rows = [f"LJ001-{n}|{written[n]}|{TEXTS[n] if n else TEXTS[0]}\n" for n in range(3)]
    write(folder / "metadata.csv", "".join(rows))
    return ["LJ001-0", "LJ001-1", "LJ001-2"]


def kaldi(folder: Path) -> list[str]:
    for n in range(3):
        put(folder / "wav" / f"{n}.wav")
    write(folder / "wav.scp", "".join(f"utt-{n}\twav/{n}.wav\n" for n in range(3)))
    write(folder / "text", "".join(f"utt-{n} {TEXTS[n]}\n" for n in (2, 1, 0)))
    return ["utt-0", "utt-1", "utt-2"]


def nemo(folder: Path) -> list[str]:
    """Two parts of one recording, and a file whose length is rounded."""
    put(folder / "long.wav", 1.5)
    put(folder / "short.wav", 0.5)
    parts = [
        {"audio_filepath": str(folder / "long.wav"), "text": TEXTS[n], "offset": n * 0.75, "duration": 0.75}
        for n in range(2)
    ]
    last = {"audio_filepath": "short.wav", "text": TEXTS[2], "duration": 0.51}
    write(folder / "manifest.json", lines(*parts, last))
    return ["long@0", "long@0.75", "short"]


def common_voice(folder: Path) -> list[str]:
    for n in range(3):
        put(folder / "clips" / f"common_voice_en_{n}.mp3", format="MP3")
    header = "client_id\tpath\tsentence\tup_votes\tlocale\n"
    rows = [f"abc\tcommon_voice_en_{n}.mp3\t{TEXTS[n]}\t2\ten\n" for n in range(3)]
    write(folder / "test.tsv", header + "".join(rows))
    write(folder / "clip_durations.tsv", "clip\tduration[ms]\n")
    return [f"common_voice_en_{n}" for n in range(3)]


def fleurs(folder: Path) -> list[str]:
    for n in range(3):
        put(folder / "audio" / "test" / f"100{n}.wav", subtype="FLOAT")
    write(folder / "test.tsv", "".join(f"{n}\t100{n}.wav\t{TEXTS[n]}\tx\tx |\t8000\tMALE\n" for n in range(3)))
    return ["1000", "1001", "1002"]


def any_csv(folder: Path) -> list[str]:
    """The CSV of DeepSpeech, as Excel writes it in half of Europe."""
    for n in range(3):
        put(folder / f"{n}.wav")
    quoted = [text.replace('"', '""') for text in TEXTS]
    rows = [f'{n}.wav;16000;"{quoted[n]}"\r\n' for n in range(3)]
    write(folder / "test.csv", "\ufeffwav_filename;wav_filesize;transcript\r\n" + "".join(rows))
    return ["0", "1", "2"]


def librispeech(folder: Path) -> list[str]:
    for n, place in enumerate(("12/34", "12/34", "12/35")):
        put(folder / place / f"12-34-{n}.flac")
    write(folder / "12/34/12-34.trans.txt", f"12-34-0 {TEXTS[0]}\n12-34-1 {TEXTS[1]}\n")
    write(folder / "12/35/12-35.trans.txt", f"12-34-2 {TEXTS[2]}\n")
    return ["12-34-0", "12-34-1", "12-34-2"]


def aishell(folder: Path) -> list[str]:
    for n in range(3):
        put(folder / "wav" / "test" / f"S{n}" / f"BAC009S{n}.wav")
    rows = "".join(f"BAC009S{n} {TEXTS[n]}\n" for n in range(3))
    write(folder / "transcript" / "aishell_transcript_v0.8.txt", rows)
    return ["BAC009S0", "BAC009S1", "BAC009S2"]


def text_folder(folder: Path) -> list[str]:
    """VCTK: the texts have a tree of their own."""
    for n in range(3):
        put(folder / "wav48" / "p225" / f"p225_00{n}.wav")
        write(folder / "txt" / "p225" / f"p225_00{n}.txt", TEXTS[n])
    return ["p225_000", "p225_001", "p225_002"]


def beside(folder: Path) -> list[str]:
    """One folder a speaker, and the text files of several toolkits: plain, MFA's, TIMIT's with its sample numbers."""
    for n, (ending, before) in enumerate(((".txt", ""), (".lab", ""), (".TXT", "0 46797 "))):
        put(folder / f"speaker-{n}" / "a.wav")
        write(folder / f"speaker-{n}" / f"a{ending}", before + TEXTS[n])
    return ["speaker-0/a", "speaker-1/a", "speaker-2/a"]


MAKERS: dict[str, Callable[[Path], list[str]]] = {
    "AISHELL, transcript/aishell_transcript_v0.8.txt": aishell,
    "stt-load, clips.jsonl": own,
    "Hugging Face audiofolder, test/metadata.jsonl, train/metadata.jsonl": audiofolder_jsonl,
    "Hugging Face audiofolder, metadata.csv": audiofolder_csv,
    "LJSpeech, metadata.csv": ljspeech,
    "Kaldi, wav.scp": kaldi,
    "NeMo, manifest.json": nemo,
    "Common Voice, test.tsv": common_voice,
    "FLEURS, test.tsv": fleurs,
    "CSV, test.csv": any_csv,
    "LibriSpeech, 12/34/12-34.trans.txt, 12/35/12-35.trans.txt": librispeech,
    "a text beside each audio file": beside,
}


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


def problems_of(path: Path) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as refused:
        load_folder(path, 16000)
    return refused.value.problems


def test_of_several_lists_one_must_be_named(tmp_path: Path) -> None:
    common_voice(tmp_path)
    text = (tmp_path / "test.tsv").read_text()
    (tmp_path / "dev.tsv").write_text("".join(text.splitlines(keepends=True)[:2]))
    (problem,) = problems_of(tmp_path)
    assert problem == (
        f"{tmp_path} holds several lists of clips (dev.tsv, test.tsv): "
        f"name one of them, such as {tmp_path / 'dev.tsv'}, instead of the folder"
    )
    loaded = load_folder(tmp_path / "dev.tsv", 16000)
    assert len(loaded.clips) == 1
    assert loaded.notes == (
        "2 audio files are not listed and not used: clips/common_voice_en_1.mp3, clips/common_voice_en_2.mp3",
    )


def test_common_voice_sentences_keep_unpaired_quotation_marks(tmp_path: Path) -> None:
    for n in range(3):
        put(tmp_path / "clips" / f"{n}.mp3", format="MP3")
    sentences = ['"It was dark', "middle row", 'ends here"']
    rows = "".join(f"{n}.mp3\t{sentence}\n" for n, sentence in enumerate(sentences))
    write(tmp_path / "test.tsv", "path\tsentence\n" + rows)
    assert [clip.reference for clip in load_folder(tmp_path, None).clips] == sentences


def test_a_list_that_is_none_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "a.wav")
    write(tmp_path / "notes.csv", "a,b\n1,2\n")
    (problem,) = problems_of(tmp_path / "notes.csv")
    assert "is a file, not a folder, and no list of clips that is known" in problem


def test_bad_rows_and_missing_files_are_told_with_their_lines(tmp_path: Path) -> None:
    put(tmp_path / "a.wav")
    rows = ("a.wav\tone", "b.wav\ttwo", "c.wav", "\tfour", "a.wav\t ")
    write(tmp_path / "test.tsv", "path\tsentence\n" + "\n".join(rows))
    told = problems_of(tmp_path)
    listing = tmp_path / "test.tsv"
    assert told == (
        f"{listing} line 4: 1 cells, the header has 2: a cell may hold no tab and no line break "
        "(write such texts as JSON lines)",
        f"{listing} line 5: `path` must be the name of a file",
        f"{listing} line 6: no text of what is spoken: `sentence` is empty",
        f"{tmp_path / 'clips' / 'b.wav'}: the file is missing",
    )


def test_a_command_in_wav_scp_is_refused_and_never_run(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    write(tmp_path / "wav.scp", f"utt-1 touch {touched} |\nutt-2 | cat x\nutt-3 raw.ark:17\n")
    write(tmp_path / "text", "utt-1 one\nutt-2 two\nutt-3 three\n")
    told = problems_of(tmp_path)
    assert len(told) == 3 and not touched.exists()
    assert "wav.scp line 1: utt-1 is made by a command, which is not run" in told[0]
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
    told = [problem.partition("wav.scp ")[2] for problem in problems_of(tmp_path)]
    assert told == [
        "segments line 2: write utterance, recording, start and end in seconds",
        "segments: utt-3 is of other, which wav.scp lacks",
        "text: no text of what is spoken in utt-4",
        "text line 3: utt-5 has no audio in wav.scp or segments",
    ]


@pytest.mark.parametrize(
    ("on_disk", "listed"),
    [("caf\u00e9.wav", "cafe\u0301.wav"), ("cafe\u0301.wav", "caf\u00e9.wav"), ("w/a.wav", "w\\a.wav")],
    ids=["composed", "decomposed", "Windows"],
)
def test_a_file_is_found_however_its_name_was_written(tmp_path: Path, on_disk: str, listed: str) -> None:
    put(tmp_path / on_disk)
    write(tmp_path / "clips.jsonl", lines({"file": listed, "reference": "x", "clip_id": "a"}))
    loaded = load_folder(tmp_path, None)
    assert len(loaded.clips) == 1 and loaded.notes == ()


def test_texts_of_windows_are_read(tmp_path: Path) -> None:
    put(tmp_path / "a.wav")
    (tmp_path / "a.txt").write_bytes("naïve café\r\n".encode("utf-16"))
    assert load_folder(tmp_path, None).clips[0].reference == "naïve café"


def test_a_loop_of_links_is_walked_once(tmp_path: Path) -> None:
    put(tmp_path / "a.wav")
    write(tmp_path / "a.txt", "x")
    (tmp_path / "loop").symlink_to(tmp_path)
    problems: list[str] = []
    assert len(read_layout(tmp_path, problems).entries) == 1 and problems == []


def test_a_folder_of_links_is_followed(tmp_path: Path) -> None:
    put(tmp_path / "data" / "a.wav")
    write(tmp_path / "data" / "a.txt", "x")
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "linked").symlink_to(tmp_path / "data")
    loaded = load_folder(tmp_path / "clips", None)
    assert (len(loaded.clips), loaded.notes) == (1, ())


def test_a_name_that_is_not_utf_8_is_a_name(tmp_path: Path) -> None:
    put(tmp_path / "a.wav")
    for ending, content in ((b".wav", (tmp_path / "a.wav").read_bytes()), (b".txt", b"x")):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9" + ending)).write_bytes(content)
    (tmp_path / "a.wav").unlink()
    loaded = load_folder(tmp_path, None)
    assert [clip.clip_id for clip in loaded.clips] == ["caf\ufffd"] and len(loaded.manifest_sha256) == 64
    shown = subprocess.run([STT_LOAD, "clips", "show", tmp_path], capture_output=True, timeout=60)
    assert shown.returncode == 0 and b"Traceback" not in shown.stderr


@pytest.mark.parametrize("name", ["a\0.wav", "x" * 300 + ".wav", "~nobody/a.wav", "clips.jsonl/a.wav", "."])
def test_a_name_that_no_file_can_have_is_one_line(tmp_path: Path, name: str) -> None:
    write(tmp_path / "clips.jsonl", lines({"file": name, "reference": "x", "clip_id": "a"}))
    (problem,) = problems_of(tmp_path)
    assert "can't be read" in problem or "the file is missing" in problem


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_below_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    put(tmp_path / "a.wav")
    (tmp_path / "below").mkdir(mode=0)
    (problem,) = problems_of(tmp_path)
    assert problem == f"{tmp_path / 'below'}: can't be read (Permission denied)"


def test_a_data_set_whose_texts_are_not_found_is_sent_to_the_docs(tmp_path: Path) -> None:
    for n in range(8):
        put(tmp_path / "wav" / f"{n}.wav")
    write(tmp_path / "transcript" / "all.txt", "0 one\n1 two\n")
    *told, last = problems_of(tmp_path)
    assert len(told) == 8 and all("no reference text" in problem for problem in told)
    assert last == f"{tmp_path}: no audio file has a text, and there is no list that is known: see docs/clips.md"


def test_texts_of_parts_that_are_not_there_are_counted(tmp_path: Path) -> None:
    aishell(tmp_path)
    (tmp_path / "wav/test/S1/BAC009S1.wav").unlink()
    loaded = load_folder(tmp_path, None)
    assert [clip.clip_id for clip in loaded.clips] == ["BAC009S0", "BAC009S2"]
    assert loaded.notes == ("1 texts of the list have no audio here and are left out",)


@pytest.mark.parametrize(("audio", "texts"), [(("a", "b"), ("txt",)), (("a",), ("txt-1", "txt-2"))])
def test_a_text_of_another_folder_is_taken_only_where_its_name_is_there_once(
    tmp_path: Path, audio: tuple[str, ...], texts: tuple[str, ...]
) -> None:
    for folder in audio:
        put(tmp_path / "wav" / folder / "1.wav")
    for folder in texts:
        write(tmp_path / folder / "1.txt", "whose?")
    told = problems_of(tmp_path)
    assert len([problem for problem in told if "no reference text" in problem]) == len(audio)
