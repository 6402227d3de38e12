"""How far the end of speech that is found in a clip is from the true one, in noise and after accidents.

    .venv/bin/python bench/speech_bounds.py [--sentences N]

The material is made here: sentences spoken by espeak in six voices, whose bounds are known to 5 ms, with noise and
accidents from a seed (`tests/audio/recordings.py`). The table is the one of docs/clips.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "audio"))

from recordings import (
    NOISES,
    RATE_HZ,
    Recording,
    babble,
    beep,
    breath,
    in_noise,
    reverberant,
    with_accident,
    with_offset,
)
from recordings import (
    click as click_of,
)

from stt_load.audio.found_speech import find_speech

SNRS_DB = (45, 40, 35, 30, 25, 20, 15)
MARGINS_S = (0.15, 0.5)


def errors_ms(recordings: Iterable[Recording]) -> tuple[np.ndarray, float]:
    """Found less true end, and the share of the clips that leave a doubt."""
    found = [(recording, find_speech(recording.samples, RATE_HZ)) for recording in recordings]
    errors = np.array([1_000 * (speech.bounds.end_s - recording.end_s) for recording, speech in found])
    return errors, float(np.mean([bool(speech.doubts) for _, speech in found]))


def row(name: str, errors: np.ndarray, doubted: float) -> str:
    low, high = np.percentile(errors, [2.5, 97.5])
    within = np.mean(np.abs(errors) <= 100)
    return (
        f"| {name} | {len(errors)} | {np.median(errors):.0f} | {low:.0f} to {high:.0f} | {within:.0%} | {doubted:.0%} |"
    )


@click.command()
@click.option("--sentences", default=6, show_default=True, help="How many sentences, of six.")
def main(sentences: int) -> None:
    numbers = range(sentences)
    print("| clips | n | median | 95 % of them | within 100 ms | unsure |\n|---|---|---|---|---|---|")
    for snr_db in SNRS_DB:
        quiet = [in_noise(n, NOISES[kind], snr_db, m) for kind in NOISES for n in numbers for m in MARGINS_S]
        print(row(f"{', '.join(NOISES)}: {snr_db} dB", *errors_ms(quiet)), flush=True)
    for snr_db in (40, 30, 20):
        talk = [in_noise(n, babble, snr_db, m) for n in numbers for m in MARGINS_S]
        print(row(f"babble of six people: {snr_db} dB", *errors_ms(talk)), flush=True)
    accidents = {"a breath, 0.2 s later": (breath(), 0.2), "a beep, 0.7 s later": (beep(), 0.7)}
    accidents |= {f"a click of {ms} ms, 0.4 s later": (click_of(ms / 1_000, -25.0), 0.4) for ms in (10, 40)}
    for name, (sound, behind_s) in accidents.items():
        print(row(name, *errors_ms(with_accident(n, sound, behind_s) for n in numbers)), flush=True)
    print(row("an offset of 2 %", *errors_ms(with_offset(n, 0.02) for n in numbers)))
    for rt60_s in (0.3, 0.8):
        print(row(f"a room that rings for {rt60_s:g} s", *errors_ms(reverberant(n, rt60_s) for n in numbers)))


if __name__ == "__main__":
    main()
