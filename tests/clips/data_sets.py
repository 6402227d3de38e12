"""Small data sets in every layout that is known."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import soundfile
from tones import tone

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
